"""An error names the place of a mismatch in the tree, and nothing is changed."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
import torch
from alike import same

import rekindle
from rekindle import Checkpoint
from rekindle._codec.source import capture


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclasses.dataclass
class Record:
    left: Any


def module(fill):
    made = torch.nn.Linear(2, 1)
    torch.nn.init.constant_(made.weight, fill)
    torch.nn.init.constant_(made.bias, fill)
    return made


def everything(fill):
    """An object of each kind that can change in place, and of some kinds that cannot."""
    rng = np.random.default_rng(int(fill))
    parameter = torch.nn.Parameter(torch.full((2,), fill))
    optimizer = torch.optim.SGD([parameter], lr=0.5 + fill, momentum=0.5)
    parameter.sum().backward()
    optimizer.step()
    return {
        "array": np.full(2, fill),
        "items": [fill, {"a": np.full(1, fill)}],
        "log": [fill],
        "names": {"x": fill},
        "record": Record(fill),
        "pair": Pair(fill, jnp.full(2, fill)),
        "number": fill,
        "text": str(fill),
        "tensor": torch.full((2,), fill),
        "module": module(fill),
        "optimizer": optimizer,
        "variable": tf.Variable(fill),
        "rng": rng,
        "inner": Checkpoint(a=np.full(3, fill), step=int(fill)),
    }


def picture(checkpoint):
    """Every bit of the state, as values that do not share memory with the objects."""
    taken = capture(checkpoint)
    return {name: np.array(array).tobytes() for name, array in taken.arrays.items()}, repr(
        taken.state
    )


@pytest.mark.parametrize("place", ["first", "last"])
def test_nothing_is_changed_wherever_the_mismatch_is(home, place):
    last = {"z": np.zeros(3)}
    path = Checkpoint(**everything(1.0), **last).save(f"{home}/ckpt")
    wrong = {"z": np.zeros(4)}
    objects = everything(2.0)
    checkpoint = Checkpoint(**(wrong | objects if place == "first" else objects | wrong))
    before, counter = picture(checkpoint), checkpoint.save_counter
    with pytest.raises(rekindle.MismatchError) as caught:
        checkpoint.restore(path)
    assert caught.value.differences == ["z: expected float64 (4,), found float64 (3,)"]
    assert picture(checkpoint) == before
    assert checkpoint.save_counter == counter == 0
    # Without the mismatch, the restore succeeds.
    fitting = Checkpoint(**everything(2.0), **last)
    fitting.restore(path).assert_consumed()
    assert picture(fitting) == picture(Checkpoint(**everything(1.0), **last))


@pytest.mark.parametrize(
    ("saved", "live", "difference"),
    [
        (np.zeros(3), np.zeros((3, 1)), "x: expected float64 (3, 1), found float64 (3,)"),
        (np.zeros(3, "int8"), np.zeros(3, "uint8"), "x: expected uint8 (3,), found int8 (3,)"),
        (jnp.zeros(1), np.zeros(1), "x: expected float64 (1,), found float32 (1,)"),
        (np.zeros(3), "text", "x: expected a str, found float64 (3,)"),
        (3, np.zeros(()), "x: expected float64 (), found a int"),
        (3, "3", "x: expected a str, found a int"),
        (b"3", 3, "x: expected a int, found a bytes"),
        ({"a": np.zeros(1)}, [np.zeros(1)], "x: expected a list, found a dict"),
        ([1, np.zeros(1)], (1, np.zeros(1)), "x: expected a tuple, found a list"),
        (Pair(1, 2), {"left": 1, "right": 2}, "x: expected a dict, found a record"),
        ({"a": 1}, Pair(1, 2), "x: expected a Pair, found a dict"),
        (
            {"a": [0, {"b": np.zeros(2)}]},
            {"a": [0, {"b": np.zeros(3)}]},
            "x/a/1/b: expected float64 (3,), found float64 (2,)",
        ),
        (
            Record(Pair(np.zeros(2), 0)),
            Record(Pair(np.zeros(1), 0)),
            "x/left/left: expected float64 (1,), found float64 (2,)",
        ),
        (
            Checkpoint(a=np.zeros(1)),
            Checkpoint(a=np.zeros(2)),
            "x/a: expected float64 (2,), found float64 (1,)",
        ),
        (np.zeros(1), Checkpoint(a=1), "x: expected named objects, found float64 (1,)"),
        (
            np.random.default_rng(0),
            np.random.RandomState(0),
            "x: expected the state of a RandomState, found the state of a 'numpy.Generator'",
        ),
        (
            np.random.default_rng(0),
            np.random.Generator(np.random.MT19937(0)),
            "x/bit_generator: expected MT19937, found PCG64",
        ),
        (np.zeros(3), torch.nn.Linear(1, 1), "x: expected the variables of a Linear, found"),
        (torch.nn.Linear(1, 1), np.zeros(3), "x: expected float64 (3,), found 2 variables"),
        (
            jax.random.key(0),
            jax.random.key(0, impl="rbg"),
            "x: expected key<rbg> (), found a key of 'threefry2x32'",
        ),
        (np.zeros(2, "uint32"), jax.random.key(0), "x: expected key<fry> (), found uint32 (2,)"),
    ],
)
def test_place_expected_and_found_are_told(home, saved, live, difference):
    path = Checkpoint(x=saved).save(f"{home}/ckpt")
    with pytest.raises(rekindle.MismatchError, match="Nothing was changed") as caught:
        Checkpoint(x=live).restore(path)
    (line,) = caught.value.differences
    assert line.startswith(difference)
    assert line in str(caught.value)


def test_every_difference_is_told_and_the_message_stays_short(home):
    path = Checkpoint(x=[np.zeros(1) for _ in range(50)]).save(f"{home}/ckpt")
    with pytest.raises(rekindle.MismatchError) as caught:
        Checkpoint(x=[np.zeros(2) for _ in range(50)]).restore(path)
    assert len(caught.value.differences) == 50
    assert "... and 30 more" in str(caught.value)


class Choosy:
    """Loads its state in two steps, and refuses some states after the first step."""

    def __init__(self, value):
        self.value, self.half = value, None

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.half = state["value"]
        if state["value"] == "bad":
            raise KeyError("not mine")
        self.value = self.half


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_state_that_its_object_refuses_is_a_mismatch_and_nothing_is_changed(home, place):
    path = Checkpoint(**everything(1.0), z=Choosy("bad"), a=Choosy("good")).save(f"{home}/ckpt")
    wrong = {"a": Choosy("mine"), "z": Choosy("mine")}
    objects = everything(2.0)
    checkpoint = Checkpoint(**(wrong | objects if place == "first" else objects | wrong))
    before = picture(checkpoint)
    with pytest.raises(rekindle.MismatchError, match="Nothing was changed") as caught:
        checkpoint.restore(path)
    assert caught.value.differences == [
        "z: expected a state that the Choosy takes, found one that it refused: KeyError('not mine')"
    ]
    assert picture(checkpoint) == before
    assert (wrong["z"].value, wrong["z"].half, wrong["a"].value) == ("mine", "mine", "mine")


@pytest.mark.parametrize(
    ("saved", "live", "expected"), [(2, 1.0, 2), (2.5, 1, 2.5), (True, 0, True), (None, 3, None)]
)
def test_numbers_of_python_may_take_each_others_place(home, saved, live, expected):
    checkpoint = Checkpoint(x=live)
    checkpoint.restore(Checkpoint(x=saved).save(f"{home}/ckpt")).assert_consumed()
    assert same(checkpoint.x, expected)


@pytest.mark.parametrize(
    ("odd", "place"),
    [
        ({"a": [1, object()]}, "x/a/1: a value of type 'object'"),
        (Pair(1, len), "x/right: a value of type 'builtin_function_or_method'"),
        (Record(slice(1)), "x/left: a value of type 'slice'"),
        ([np.array(["text"])], "x/0: an array of dtype <U4"),
        (np.zeros(2, "complex128"), "x: an array of dtype complex128"),
        (np.array([object()]), "x: an array of dtype object"),
        (1 << 5000, "x: an integer of more than 1024 bits"),
        (int, "x: a value of type 'type'"),
        (torch.zeros(2, 2).to_sparse(), "x: a tensor of layout torch.sparse_coo"),
        (tf.RaggedTensor.from_row_lengths([1], [1]), "x: a value of type 'RaggedTensor'"),
    ],
)
def test_what_cannot_be_saved_is_refused_by_its_place_and_nothing_written(home, odd, place):
    with pytest.raises(rekindle.ArgumentError) as caught:
        Checkpoint(first=np.zeros(1), x=odd).save(f"{home}/ckpt")
    assert place in str(caught.value)
    assert "cannot be saved" in str(caught.value)
    assert list(pathlib.Path(home).glob("ckpt*")) == []


def test_a_container_that_holds_itself_is_refused(home):
    endless = [1]
    endless.append(endless)
    with pytest.raises(rekindle.ArgumentError, match="x/1: a container that contains itself"):
        Checkpoint(x=endless).save(f"{home}/ckpt")


@pytest.mark.parametrize("name", ["restore", "save_counter", "_private", "was_restored"])
def test_a_name_that_the_class_uses_itself_is_refused(name):
    with pytest.raises(rekindle.ArgumentError, match=f"Received: '{name}'"):
        Checkpoint(**{name: 1})


def test_objects_are_attributes():
    checkpoint = Checkpoint(a=1)
    checkpoint.b = 2
    del checkpoint.a
    assert checkpoint.b == 2
    assert not hasattr(checkpoint, "a")
    assert "b" in dir(checkpoint)
    assert repr(checkpoint) == "<rekindle.Checkpoint of b>"
    with pytest.raises(AttributeError, match="'a'"):
        del checkpoint.a


@pytest.mark.parametrize("path", ["nothing-1", "ckpt-2", "ckpt", "ckpt-01"])
def test_a_path_without_a_checkpoint_is_told_as_such(home, path):
    checkpoint = Checkpoint(x=1)
    checkpoint.save(f"{home}/ckpt")
    for read in (checkpoint.restore, Checkpoint.read):
        with pytest.raises(rekindle.RestoreError, match=f"There is no checkpoint '.*{path}'"):
            read(f"{home}/{path}")


@pytest.mark.parametrize("ending", ["json", "safetensors"])
def test_a_damaged_checkpoint_is_told_as_such_and_left_as_it_is(home, ending):
    path = Checkpoint(x=np.zeros(3)).save(f"{home}/ckpt")
    file = pathlib.Path(f"{path}.{ending}")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    checkpoint = Checkpoint(x=np.ones(3))
    for read in (checkpoint.restore, Checkpoint.read):
        with pytest.raises(rekindle.DamageError, match="is damaged"):
            read(path)
    assert checkpoint.x.tolist() == [1, 1, 1]
    assert file.read_bytes() == data
