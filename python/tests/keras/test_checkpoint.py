"""Keras' own objects in a Checkpoint, on every backend, without fit()'s callback."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from small_fit import assert_same, data, make_model, values

import rekindle
from rekindle import Checkpoint, CheckpointManager


def train(model, batches=3):
    x, y = data()
    for index in range(batches):
        model.train_on_batch(x[4 * index : 4 * index + 4], y[4 * index : 4 * index + 4])
    return model


def dropout_model(seed=None):
    model = keras.Sequential(
        [
            keras.layers.Input((3,)),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5, seed=seed),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.AdamW(0.02), "mse")
    return model


@pytest.fixture
def prefix(tmp_path):
    return str(tmp_path / "ckpt")


def test_a_compiled_model_comes_back_with_its_optimizer(prefix):
    model = train(make_model())
    path = Checkpoint(model=model).save(prefix)
    other = make_model()
    checkpoint = Checkpoint(model=other)
    checkpoint.restore(path).assert_consumed()
    assert checkpoint.model is other
    assert_same(values(other), values(model))
    assert_same(values(train(other)), values(train(model)))


def test_a_model_goes_on_with_its_random_states_and_moving_averages(prefix):
    model = train(dropout_model(seed=3))
    path = Checkpoint(model=model).save(prefix)
    other = train(dropout_model(seed=4), batches=1)
    Checkpoint(model=other).restore(path).assert_consumed()
    assert_same(values(train(other)), values(train(model)))


OPTIMIZERS = ["Adam", "SGD"]
# On JAX, this Keras optimizer can only be applied inside a function.
OPTIMIZERS += ["LossScaleOptimizer"] if keras.backend.backend() != "jax" else []


def loop(model, optimizer, batches):
    """A custom training loop. Its gradients are a tenth of the weights, plus an offset."""
    for index in range(batches):
        gradients = [
            keras.ops.add(keras.ops.multiply(variable.value, 0.1), 0.01 * index)
            for variable in model.trainable_variables
        ]
        optimizer.apply(gradients, model.trainable_variables)


@pytest.mark.parametrize("is_built", [False, True], ids=["not built", "built"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_separate_optimizer_goes_on_where_it_was(prefix, name, is_built):
    def make():
        model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
        optimizer = keras.optimizers.Adam(0.05)
        if name == "SGD":
            optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
        if name == "LossScaleOptimizer":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        return model, optimizer

    model, optimizer = make()
    loop(model, optimizer, 3)
    path = Checkpoint(model=model, optimizer=optimizer).save(prefix)
    others = make()
    if is_built:
        others[1].build(others[0].trainable_variables)
    Checkpoint(model=others[0], optimizer=others[1]).restore(path).assert_consumed()
    loop(*others, 3)
    loop(model, optimizer, 3)
    for one, other in ((model, others[0]), (optimizer, others[1])):
        assert_same(
            [keras.ops.convert_to_numpy(v) for v in one.variables],
            [keras.ops.convert_to_numpy(v) for v in other.variables],
        )


def test_layers_metrics_variables_and_seed_generators_come_back_in_place(prefix):
    def make(fill, seed):
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
        layer.set_weights([np.full((3, 2), fill), np.full(2, fill)])
        metric = keras.metrics.Mean()
        metric.update_state([fill, 2 * fill])
        return {
            "layer": layer,
            "metric": metric,
            "variable": keras.Variable(np.full(2, fill), dtype="float16"),
            "count": keras.Variable(int(fill), dtype="int32", trainable=False),
            "seeds": keras.random.SeedGenerator(seed),
            "array": keras.ops.ones(2) * fill,
        }

    before, after = make(3.0, 5), make(0.0, 6)
    keras.random.uniform((2,), seed=before["seeds"])
    checkpoint = Checkpoint(**after)
    checkpoint.restore(Checkpoint(**before).save(prefix)).assert_consumed()
    for name in ("layer", "metric", "variable", "count", "seeds"):
        assert getattr(checkpoint, name) is after[name]
    assert_same(after["layer"].get_weights(), before["layer"].get_weights())
    assert float(after["metric"].result()) == 4.5
    for name in ("variable", "count"):
        one, other = after[name], before[name]
        assert one.dtype == other.dtype
        assert_same([keras.ops.convert_to_numpy(one)], [keras.ops.convert_to_numpy(other)])
    assert_same([keras.ops.convert_to_numpy(checkpoint.array)], [np.full(2, 3.0, "float32")])
    draws = [
        keras.ops.convert_to_numpy(keras.random.uniform((2,), seed=one["seeds"]))
        for one in (before, after)
    ]
    assert_same(draws[:1], draws[1:])


def test_a_model_that_is_not_built_is_an_error_that_says_what_to_do(prefix):
    path = Checkpoint(first=np.ones(1), model=train(make_model())).save(prefix)
    first = np.zeros(1)
    with pytest.raises(rekindle.MismatchError, match="Build it first"):
        Checkpoint(first=first, model=make_model(built=False)).restore(path)
    assert first.tolist() == [0.0]


def test_an_optimizer_whose_variables_nobody_can_know_is_an_error_that_says_what_to_do(prefix):
    model = train(make_model())
    path = Checkpoint(optimizer=model.optimizer).save(prefix)
    with pytest.raises(rekindle.MismatchError, match=r"optimizer\.build\(trainable_variables\)"):
        Checkpoint(optimizer=keras.optimizers.Adam()).restore(path)


def test_another_width_names_each_weight_with_expected_and_found(prefix):
    path = Checkpoint(model=train(make_model())).save(prefix)
    other = make_model(width=5)
    other.optimizer.build(other.trainable_variables)
    before = values(other)
    with pytest.raises(rekindle.MismatchError, match="Nothing was changed") as caught:
        Checkpoint(model=other).restore(path)
    differences = caught.value.differences
    assert "expected float32 (3, 5), found float32 (3, 4)" in differences[0]
    assert all(line.startswith("model/") for line in differences)
    assert any(line.startswith("model/optimizer/") for line in differences)
    assert_same(values(other), before)


def test_a_model_without_its_optimizer_matches_in_part(prefix):
    path = Checkpoint(model=train(make_model())).save(prefix)
    other = keras.Sequential(make_model().layers)
    other.build((None, 3))
    status = Checkpoint(model=other).restore(path)
    status.assert_existing_objects_matched()
    with pytest.raises(rekindle.UnmatchedError, match=r"model/optimizer/.*: expected nothing"):
        status.assert_consumed()


def test_a_second_model_in_one_session_finds_the_same_names(prefix):
    def make():
        return Checkpoint(one=make_model(), two=make_model(width=6))

    checkpoint, other = make(), make()
    train(checkpoint.one)
    train(checkpoint.two)
    other.restore(checkpoint.save(prefix)).assert_consumed()
    assert_same(values(other.one), values(checkpoint.one))
    assert_same(values(other.two), values(checkpoint.two))


@pytest.mark.parametrize("background", [False, True])
def test_a_loop_under_a_manager_goes_on_in_fresh_objects(tmp_path, background):
    def make(seed):
        keras.utils.set_random_seed(seed)
        return Checkpoint(model=dropout_model(seed), step=0)

    def run(checkpoint, steps, manager=None):
        while checkpoint.step < steps:
            train(checkpoint.model, batches=1)
            checkpoint.step += 1
            if manager is not None:
                manager.save(with_metadata={"step": checkpoint.step})

    never = make(3)
    run(never, 6)
    checkpoint = make(3)
    with CheckpointManager(checkpoint, tmp_path, 2, background=background) as manager:
        run(checkpoint, 4, manager)
    again = make(9)
    with CheckpointManager(again, tmp_path, 2, background=background) as manager:
        assert manager.restore_or_initialize() == str(tmp_path / "ckpt-4")
        assert again.step == 4
        run(again, 6, manager)
    assert_same(values(again.model), values(never.model))
