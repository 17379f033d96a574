"""The weights of a backup of tf_keras come into another model, outside of fit()."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from small_tf_fit import assert_same, data, fit, interrupt, make_model, values, weights

import rekindle
import rekindle.keras
from rekindle import inspection
from rekindle.tf_keras import BackupAndRestore


def other_start(**more):
    """The same model with other weights."""
    model = make_model(**more)
    model.set_weights([weight + 1 for weight in model.get_weights()])
    return model


def test_the_weights_of_a_run_come_into_a_model_made_again(backup_dir):
    trained = make_model()
    fit(trained, BackupAndRestore(backup_dir, delete_checkpoint=False))
    model = other_start()
    slots = {name: value for name, value in values(model).items() if name.startswith("optimizer/")}
    assert inspection.restore_weights(model, backup_dir) == "ckpt-3"
    assert_same(weights(trained), weights(model))
    after = values(model)
    assert_same(slots, {name: after[name] for name in slots})


def test_statistics_and_the_states_of_rnns_come_too(backup_dir):
    def make():
        tf_keras.utils.set_random_seed(7)
        layers = tf_keras.layers
        model = tf_keras.Sequential(
            [
                layers.Input(batch_shape=(4, 3)),
                layers.Reshape((3, 1)),
                layers.LSTM(2, stateful=True),
                layers.BatchNormalization(),
                layers.Dense(1),
            ]
        )
        model.compile("adam", "mse")
        return model

    trained, model = make(), make()
    fit(trained, BackupAndRestore(backup_dir, delete_checkpoint=False))
    inspection.restore_weights(model, backup_dir)
    assert_same(weights(trained), weights(model))
    for mine, theirs in zip(trained.layers[1].states, model.layers[1].states, strict=True):
        assert np.any(mine)
        np.testing.assert_array_equal(mine, theirs)


def test_a_checkpoint_from_the_middle_of_an_epoch_is_taken_by_its_number(backup_dir):
    ours = BackupAndRestore(backup_dir, 2, double_checkpoint=True)
    interrupt(make_model(), ours, 1, 4)
    first, second = (row.number for row in inspection.info(backup_dir).saves)
    found = []
    for which in (first, "latest"):
        model = other_start()
        inspection.restore_weights(model, backup_dir, which)
        found.append(weights(model))
    assert any(np.any(found[0][name] != found[1][name]) for name in found[0])
    model = make_model()
    inspection.restore_weights(model, backup_dir, second)
    assert_same(found[1], weights(model))


def test_a_model_that_is_not_compiled_is_restored(backup_dir):
    trained = make_model()
    fit(trained, BackupAndRestore(backup_dir, delete_checkpoint=False))
    layers = [tf_keras.layers.Dense(4, input_shape=(3,)), tf_keras.layers.Dropout(0.4)]
    model = tf_keras.Sequential([*layers, tf_keras.layers.Dense(1)])
    inspection.restore_weights(model, backup_dir)
    assert_same(weights(trained), weights(model))


def test_another_model_is_refused_with_the_differences_and_stays_as_it_is(backup_dir):
    fit(make_model(), BackupAndRestore(backup_dir, delete_checkpoint=False))
    model = make_model(tf_keras.layers.Dense(7))
    before = weights(model)
    with pytest.raises(rekindle.MismatchError, match="of another model") as caught:
        inspection.restore_weights(model, backup_dir)
    assert any("expected float32 (4, 7)" in line for line in caught.value.differences)
    assert_same(before, weights(model))
    with pytest.raises(rekindle.MismatchError, match="no variables yet"):
        inspection.restore_weights(make_model(built=False), backup_dir)


def test_the_backup_of_the_other_keras_is_named(backup_dir):
    fit(make_model(), BackupAndRestore(backup_dir, delete_checkpoint=False))
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(rekindle.MismatchError, match="found Keras 2"):
        inspection.restore_weights(model, backup_dir)
    with pytest.raises(rekindle.ArgumentError, match="This is for Keras 3"):
        inspection.export_weights(backup_dir, backup_dir.with_name("new.weights.h5"), make_model())

    x, y = data()
    model.compile("sgd", "mse")
    other = backup_dir.with_name("other")
    ours = rekindle.keras.BackupAndRestore(other, delete_checkpoint=False)
    model.fit(x, y, verbose=0, callbacks=[ours])
    with pytest.raises(rekindle.MismatchError, match="found Keras 3"):
        inspection.restore_weights(make_model(), other)


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(backup_dir):
    fit(make_model(), BackupAndRestore(backup_dir, double_checkpoint=True, delete_checkpoint=False))
    model = make_model()
    inspection.restore_weights(model, backup_dir, 2)
    second = weights(model)
    pack = backup_dir / "ckpt-3.safetensors"
    content = bytearray(pack.read_bytes())
    content[-1] ^= 1
    pack.write_bytes(content)
    model = other_start()
    assert inspection.restore_weights(model, backup_dir) == "ckpt-2"
    assert_same(second, weights(model))


def test_the_model_in_a_checkpoint_of_a_training_loop_is_found(tmp_path):
    trained = make_model(tf_keras.layers.Dense(2))
    saved = tf.train.Checkpoint(net=trained, steps=tf.Variable(3))
    path = rekindle.Checkpoint(loop=saved).save(tmp_path / "ckpt")
    model = other_start_of(trained)
    inspection.restore_weights(model, tmp_path)
    assert path
    assert_same(weights(trained), weights(model))


def other_start_of(trained):
    model = make_model(tf_keras.layers.Dense(2))
    model.set_weights([weight + 1 for weight in trained.get_weights()])
    return model
