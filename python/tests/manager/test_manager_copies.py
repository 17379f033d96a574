"""A background save has the state at the call of save(), on every framework."""

from __future__ import annotations

import numpy as np
import pytest

import rekindle
from rekindle import Checkpoint, CheckpointManager
from rekindle._codec.source import capture


def numpy_array():
    array = np.arange(6.0)

    def change():
        array[:] = -1.0

    return array, change


def numpy_view():
    array = np.arange(12.0)

    def change():
        array[:] = -1.0

    return array[::2], change


def torch_tensor():
    import torch

    tensor = torch.arange(6.0)
    return tensor, lambda: tensor.fill_(-1.0)


def torch_bfloat16():
    import torch

    tensor = torch.arange(6.0).to(torch.bfloat16)
    return tensor, lambda: tensor.fill_(-1.0)


def torch_module():
    import torch

    module = torch.nn.Linear(3, 2)

    def change():
        with torch.no_grad():
            module.weight.fill_(-1.0)

    return module, change


def torch_optimizer():
    import torch

    module = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(module.parameters())

    def step():
        optimizer.zero_grad()
        module(torch.ones(1, 3)).sum().backward()
        optimizer.step()

    step()
    return optimizer, step


def tensorflow_variable():
    import tensorflow as tf

    variable = tf.Variable(tf.range(6.0))
    return variable, lambda: variable.assign(tf.fill([6], -1.0))


def tensorflow_variable_in_place():
    import tensorflow as tf

    variable = tf.Variable(tf.range(6.0))
    return variable, lambda: variable.scatter_nd_update([[0], [1]], [-1.0, -1.0])


def jax_donated():
    import jax

    box = {"a": jax.numpy.arange(6.0)}

    def change():
        # The new array has the memory of the old array.
        box["a"] = jax.jit(lambda a: a - 7.0, donate_argnums=0)(box["a"])
        box["a"].block_until_ready()

    return box, change


def keras_variable():
    import keras

    variable = keras.Variable(np.arange(6.0))
    return variable, lambda: variable.assign(np.zeros(6))


def state_dict_object():
    class Mine:
        values = [1, 2]  # noqa: RUF012  (the test changes a plain list)
        array = np.arange(4.0)

        def state_dict(self):
            return {"values": self.values, "array": self.array}

        def load_state_dict(self, state):
            raise NotImplementedError

    mine = Mine()

    def change():
        mine.values[:] = [9]
        mine.array[:] = -1.0

    return mine, change


@pytest.mark.parametrize(
    "make",
    [
        numpy_array,
        numpy_view,
        torch_tensor,
        torch_bfloat16,
        torch_module,
        torch_optimizer,
        tensorflow_variable,
        tensorflow_variable_in_place,
        jax_donated,
        keras_variable,
        state_dict_object,
        lambda: (lambda values: (values, values.clear))([1, [2], {"a": 3}]),
    ],
)
def test_what_changes_right_after_save_returned_is_not_in_the_save(home, gate, make):
    value, change = make()
    expected = capture(Checkpoint(value=value))
    expected_arrays = {name: np.array(array) for name, array in expected.arrays.items()}
    expected_tree, before = repr(expected.state), repr(expected)
    with CheckpointManager(Checkpoint(value=value), home, 3, background=True) as manager:
        path = manager.save()
        change()
        gate.opened.set()
        manager.sync()
    assert repr(capture(Checkpoint(value=value))) != before
    saved = Checkpoint.read(path)
    assert saved.keys() == expected_arrays.keys()
    for name, array in expected_arrays.items():
        assert saved[name].dtype == array.dtype
        assert saved[name].tobytes() == array.tobytes()
    found = rekindle._inspection.lookup.find(path)[1].state["checkpoint"]
    assert repr({"checkpoint": found}) == expected_tree


def test_arrays_of_other_shapes_from_save_to_save_are_saved_as_they_are(home):
    checkpoint = Checkpoint(w=np.zeros(3), v=np.ones(2))
    with CheckpointManager(checkpoint, home, None, background=True) as manager:
        manager.save()
        checkpoint.w = np.ones((2, 4), np.int8)
        del checkpoint.v
        manager.save()
        checkpoint.v = np.full(2, 5.0)
        manager.save()
    first, second, third = map(Checkpoint.read, manager.checkpoints)
    assert (first["w"].shape, first["v"].tolist()) == ((3,), [1.0, 1.0])
    assert second.keys() == {"w"}
    assert second["w"].dtype == np.int8
    assert third["v"].tolist() == [5.0, 5.0]
