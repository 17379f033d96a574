"""TensorFlow's variables, modules and checkpoints."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from alike import same

import rekindle
from rekindle import Checkpoint
from rekindle._base import memory
from rekindle._frameworks import table as frameworks


class Dense(tf.Module):
    def __init__(self, fill, units=2):
        super().__init__()
        self.w = tf.Variable(tf.fill([3, units], fill))
        self.b = tf.Variable(tf.fill([units], fill))


class Net(tf.Module):
    def __init__(self, fill):
        super().__init__()
        self.layers = [Dense(fill), Dense(fill)]
        self.named = {"out": Dense(fill)}
        self.shared = self.layers[0]
        self.constant = tf.constant(1.0)
        self.step = tf.Variable(int(fill), dtype=tf.int64)


def values(module):
    return [variable.numpy().tolist() for variable in module.variables]


@pytest.mark.parametrize(
    "dtype",
    ["float16", "bfloat16", "float32", "float64", "int8", "uint8", "int64", "bool", "complex64"],
)
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_variables_of_every_dtype_come_back_in_place(home, dtype, shape):
    raw = np.ones(shape) * 3
    v = tf.Variable(tf.cast(raw, dtype))
    other = tf.Variable(tf.cast(np.zeros(shape), dtype))
    checkpoint = Checkpoint(v=other)
    checkpoint.restore(Checkpoint(v=v).save(f"{home}/ckpt")).assert_consumed()
    assert checkpoint.v is other
    assert same(other, v)


def test_a_tensor_comes_back_as_a_new_one(home):
    zeros = tf.zeros(2)
    checkpoint = Checkpoint(t=zeros)
    checkpoint.restore(Checkpoint(t=tf.ones(2)).save(f"{home}/ckpt")).assert_consumed()
    assert same(checkpoint.t, tf.ones(2))
    assert same(zeros, tf.zeros(2))


def test_modules_come_back_whole_with_what_is_shared_once(home):
    path = Checkpoint(net=Net(2.0)).save(f"{home}/ckpt")
    net = Net(0.0)
    Checkpoint(net=net).restore(path).assert_consumed()
    assert values(net) == values(Net(2.0))
    assert sorted(Checkpoint.read(path)) == [
        *("net/layers/1/b", "net/layers/1/w", "net/named/out/b", "net/named/out/w"),
        # A variable with two paths has the shorter path.
        *("net/shared/b", "net/shared/w", "net/step"),
    ]


def test_a_tensorflow_checkpoint_is_one_object_among_others(home):
    def make(fill):
        return Checkpoint(
            tf=tf.train.Checkpoint(net=Net(fill), v=tf.Variable(fill)), numbers=np.full(2, fill)
        )

    checkpoint = make(3.0)
    checkpoint.tf.save_counter.assign(4)
    path = checkpoint.save(f"{home}/ckpt")
    other = make(0.0)
    other.restore(path).assert_consumed()
    assert values(other.tf.net) == values(Net(3.0))
    assert float(other.tf.v) == 3.0
    assert int(other.tf.save_counter) == 4
    assert other.numbers.tolist() == [3.0, 3.0]


def test_a_manager_restores_a_tensorflow_checkpoint_in_a_fresh_one(home):
    checkpoint = tf.train.Checkpoint(net=Net(5.0))
    with rekindle.CheckpointManager(checkpoint, home, 3) as manager:
        manager.save()
        manager.save()
    other = tf.train.Checkpoint(net=Net(0.0))
    with rekindle.CheckpointManager(other, home, 3) as manager:
        assert manager.restore_or_initialize() == f"{home}/ckpt-2"
        assert values(other.net) == values(Net(5.0))
        assert int(other.save_counter) == 2
        assert manager.save() == f"{home}/ckpt-3"


def test_tensorflows_own_random_generator_goes_on_where_it_was(home):
    generator = tf.random.Generator.from_seed(3)
    other = tf.random.Generator.from_seed(4)
    generator.normal([2])
    Checkpoint(rng=other).restore(Checkpoint(rng=generator).save(f"{home}/ckpt")).assert_consumed()
    assert same(other.normal([3]), generator.normal([3]))


def test_a_part_that_is_missing_is_told_by_its_place(home):
    path = Checkpoint(net=Dense(1.0)).save(f"{home}/ckpt")
    more = Dense(0.0)
    more.extra = tf.Variable(9.0)
    status = Checkpoint(net=more).restore(path)
    with pytest.raises(rekindle.UnmatchedError) as caught:
        status.assert_existing_objects_matched()
    assert caught.value.differences == ["net/extra: expected a value in the checkpoint, found none"]
    assert values(more)[0] == [1.0, 1.0]


def test_another_shape_is_told_by_its_place_and_nothing_is_changed(home):
    path = Checkpoint(net=Dense(1.0)).save(f"{home}/ckpt")
    other = Dense(0.0, units=4)
    with pytest.raises(rekindle.MismatchError) as caught:
        Checkpoint(net=other).restore(path)
    assert sorted(caught.value.differences) == [
        "net/b: expected float32 (4,), found float32 (2,)",
        "net/w: expected float32 (3, 4), found float32 (3, 2)",
    ]
    assert values(other) == values(Dense(0.0, units=4))


def test_what_tensorflow_alone_can_save_is_refused_by_its_place(home):
    holder = tf.Module()
    holder.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, default_value=0)
    with pytest.raises(
        rekindle.ArgumentError, match=r"net/table: only TensorFlow can read the state of a '.*'"
    ):
        Checkpoint(net=holder).save(f"{home}/ckpt")


ROWS = 600


def add_in_place(v):
    v.assign_add(tf.ones((ROWS, ROWS)))


def write_a_row(v):
    v[0].assign(tf.ones(ROWS))


def scatter(v):
    v.scatter_update(tf.IndexedSlices(tf.ones((1, ROWS)), [0]))


def add_compiled(v):
    tf.function(lambda: v.assign_add(tf.ones((ROWS, ROWS))), jit_compile=True)()


def apply_adam(v):
    m, n = (tf.Variable(tf.zeros((ROWS, ROWS))) for _ in range(2))
    tf.raw_ops.ResourceApplyAdam(
        var=v.handle,
        m=m.handle,
        v=n.handle,
        beta1_power=0.9,
        beta2_power=0.999,
        lr=0.1,
        beta1=0.9,
        beta2=0.999,
        epsilon=1e-7,
        grad=tf.ones((ROWS, ROWS)),
    )


def apply_adagrad_to_a_row(v):
    accumulator = tf.Variable(tf.ones((ROWS, ROWS)))
    tf.raw_ops.ResourceSparseApplyAdagrad(
        var=v.handle, accum=accumulator.handle, lr=0.1, grad=tf.ones((1, ROWS)), indices=[0]
    )


@pytest.mark.parametrize(
    "update",
    [add_in_place, write_a_row, scatter, add_compiled, apply_adam, apply_adagrad_to_a_row],
)
def test_a_large_variable_is_given_the_memory_and_never_writes_into_it(update):
    array = memory.array((ROWS, ROWS), np.dtype("float32"))
    array[:] = 0.5
    variable = tf.Variable(tf.zeros((ROWS, ROWS)))
    frameworks.like(variable, array)
    assert np.shares_memory(np.asarray(variable.read_value()), array)
    update(variable)
    assert (array == 0.5).all()
    assert variable[0, 0] != 0.5
    assert not np.shares_memory(np.asarray(variable.read_value()), array)


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.full((ROWS, ROWS), 0.5).T,
        lambda: np.full((ROWS, 2 * ROWS), 0.5)[:, ::2],
        lambda: np.broadcast_to(0.5, (ROWS, ROWS)),
        lambda: np.frombuffer(np.full(ROWS * ROWS, 0.5).tobytes()).reshape(ROWS, ROWS),
        lambda: np.full((2 * ROWS, ROWS), True),
        lambda: np.full((ROWS, ROWS), 0.5).astype(ml_dtypes.bfloat16),
        lambda: np.full((ROWS, ROWS), 1 + 2j),
        lambda: np.full(ROWS * ROWS + 1, 1, "int32").view("uint8")[1:-3].view("int32"),
    ],
    ids=[
        "turned",
        "every other",
        "spread",
        "read-only",
        "bool",
        "bfloat16",
        "complex",
        "out of place",
    ],
)
def test_what_cannot_be_shared_is_copied(make):
    array = make()
    variable = tf.Variable(tf.zeros(array.shape, array.dtype))
    frameworks.like(variable, array)
    assert np.asarray(variable.read_value()).tobytes() == array.tobytes()
