"""Pytrees of arrays and plain values come back bit for bit."""

from __future__ import annotations

import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from alike import same
from hypothesis import given, settings
from trees import Frozen, Layer, Module, Pair, Record, blank, trees

from rekindle import Checkpoint


@settings(deadline=None, max_examples=150)
@given(trees)
def test_what_comes_back_is_what_went_in(tree):
    with tempfile.TemporaryDirectory() as home:
        path = Checkpoint(tree=tree).save(f"{home}/ckpt")
        fresh = Checkpoint(tree=blank(tree))
        fresh.restore(path).assert_consumed()
    assert same(fresh.tree, tree)


@settings(deadline=None, max_examples=50)
@given(trees)
def test_restoring_what_is_there_already_changes_nothing(tree):
    with tempfile.TemporaryDirectory() as home:
        checkpoint = Checkpoint(tree=tree)
        copy = Checkpoint(tree=blank(tree))
        path = checkpoint.save(f"{home}/ckpt")
        copy.restore(path).assert_consumed()
        checkpoint.restore(path).assert_consumed()
    assert same(checkpoint.tree, copy.tree)


def round_trip(home, before, after):
    """Saves `before` and restores into `after`. Returns the checkpoint of `after`."""
    path = Checkpoint(**before).save(f"{home}/ckpt")
    checkpoint = Checkpoint(**after)
    checkpoint.restore(path).assert_consumed()
    return checkpoint


def test_what_can_be_changed_in_place_is_the_same_object_afterwards(home):
    array, tensor, losses = np.zeros(2), torch.zeros(2), []
    items, names, record = [0, {"a": np.zeros(1)}], {"x": array}, Record(1, [2])
    inner = items[1]["a"]
    found = round_trip(
        home,
        {
            "items": [1, {"a": np.ones(1)}],
            "names": {"x": np.ones(2)},
            "record": Record(7, [8]),
            "tensor": torch.ones(2),
            "history": {"loss": [2.0, 1.0], "epochs": ([1], 2)},
        },
        {
            "items": items,
            "names": names,
            "record": record,
            "tensor": tensor,
            "history": {"loss": losses, "mae": [3.0]},
        },
    )
    assert found.items is items
    assert items[0] == 1
    assert inner.tolist() == [1.0]
    assert found.names is names
    assert array.tolist() == [1.0, 1.0]
    assert found.record is record
    assert (record.first, record.second) == (7, [8])
    assert found.tensor is tensor
    assert tensor.tolist() == [1.0, 1.0]
    assert found.history == {"loss": [2.0, 1.0], "epochs": ([1], 2)}
    assert found.history["loss"] is losses


def test_what_cannot_be_changed_is_read_from_the_checkpoint(home):
    params, pair, frozen = jnp.zeros(2), Pair(0, jnp.zeros(1)), Frozen(jnp.zeros(1), 0)
    found = round_trip(
        home,
        {"params": jnp.ones(2), "pair": Pair(3, jnp.ones(1)), "frozen": Frozen(jnp.ones(1), 4)},
        {"params": params, "pair": pair, "frozen": frozen},
    )
    assert same(found.params, jnp.ones(2))
    assert same(found.pair, Pair(3, jnp.ones(1)))
    assert same(found.frozen, Frozen(jnp.ones(1), 4))
    assert same(
        (params, pair, frozen), (jnp.zeros(2), Pair(0, jnp.zeros(1)), Frozen(jnp.zeros(1), 0))
    )


def test_a_read_only_array_is_replaced(home):
    fixed = np.zeros(3)
    fixed.flags.writeable = False
    found = round_trip(home, {"a": np.ones(3)}, {"a": fixed})
    assert found.a.tolist() == [1, 1, 1]
    assert fixed.tolist() == [0, 0, 0]


def test_arrays_that_are_not_contiguous_come_back(home):
    grid = np.arange(12.0).reshape(3, 4)
    target = np.zeros((6, 4))
    round_trip(home, {"a": grid.T, "b": grid[:, ::-2]}, {"a": target[:4, :3], "b": target[:3, :2]})
    assert target[:3, :2].tolist() == grid[:, ::-2].tolist()


def test_the_order_of_the_bytes_in_memory_is_no_part_of_the_value(home):
    values = np.arange(3.0)
    found = round_trip(
        home,
        {"a": values.astype(">f8"), "b": values.astype("<f8")},
        {"a": np.zeros(3, "<f8"), "b": np.zeros(3, ">f8")},
    )
    assert found.a.tolist() == found.b.tolist() == [0.0, 1.0, 2.0]
    assert found.b.dtype == np.dtype(">f8")


def test_what_is_empty_takes_whatever_was_saved(home):
    history = {"loss": [3.0, 2.0], "epochs": (1, 2)}
    after = {"history": {}, "log": [], "best": None, "inner": {"a": {}}}
    before = {"history": history, "log": ["x"], "best": 0.5, "inner": {"a": {"b": np.ones(2)}}}
    found = round_trip(home, before, after)
    assert found.history == history
    assert found.history is after["history"]
    assert found.log == ["x"]
    assert found.best == 0.5
    assert found.inner["a"]["b"].tolist() == [1.0, 1.0]


def test_a_history_that_has_grown_is_brought_back_whole(home):
    found = round_trip(home, {"h": {"loss": [3.0, 2.0, 1.0]}}, {"h": {"loss": [9.0]}})
    assert found.h == {"loss": [3.0, 2.0, 1.0]}


def test_classes_that_were_registered_with_jax_are_containers(home):
    layer = Layer(jnp.zeros((2, 3)), np.zeros(3), "mine")
    module = Module(jnp.zeros(2), {"a": [jnp.zeros(1)]}, "other")
    found = round_trip(
        home,
        {
            "layer": Layer(jnp.ones((2, 3)), np.ones(3), "saved"),
            "module": Module(jnp.ones(2), {"a": [jnp.ones(1)]}, "saved"),
        },
        {"layer": layer, "module": module},
    )
    assert same(vars(found.layer), {"weight": jnp.ones((2, 3)), "bias": np.ones(3), "name": "mine"})
    assert same(found.module.weight, jnp.ones(2))
    assert same(found.module.inner, {"a": [jnp.ones(1)]})
    assert found.module.name == "other"


@pytest.mark.parametrize("shape", [(), (3,), (0, 2)])
@pytest.mark.parametrize("fill", [2, 2.5, 2j, True])
def test_a_jax_array_keeps_its_weak_type_and_its_place(home, shape, fill):
    weak = jnp.full(shape, fill)
    assert weak.weak_type or fill is True
    found = round_trip(home, {"a": jnp.full(shape, 3 * fill, weak.dtype)}, {"a": weak})
    assert found.a.weak_type == weak.weak_type
    assert found.a.dtype == weak.dtype
    assert found.a.tolist() == jnp.full(shape, 3 * fill, weak.dtype).tolist()
    assert found.a.sharding == weak.sharding


@pytest.mark.parametrize("make", [jax.random.key, jax.random.PRNGKey])
def test_random_keys_go_on_where_they_were(home, make):
    keys = jax.random.split(make(3), 4)
    found = round_trip(home, {"k": make(7), "ks": keys}, {"k": make(0), "ks": keys[::-1]})
    assert same(found.k, make(7))
    assert same(found.ks, keys)
    assert float(jax.random.uniform(found.k)) == float(jax.random.uniform(make(7)))


def test_nested_checkpoints_are_parts_of_the_tree(home):
    inner = Checkpoint(w=np.zeros(2), step=0)
    saved = Checkpoint(inner=Checkpoint(w=np.ones(2), step=5), top=1)
    path = saved.save(f"{home}/ckpt")
    found = Checkpoint(inner=inner, top=0)
    found.restore(path).assert_consumed()
    assert found.inner is inner
    assert (inner.step, inner.w.tolist(), found.top) == (5, [1.0, 1.0], 1)
    assert sorted(Checkpoint.read(path)) == ["inner/w"]


def test_read_gives_the_arrays_by_their_places(home):
    checkpoint = Checkpoint(
        a={"b": [np.arange(3), jnp.ones(2)]}, t=torch.ones(1, dtype=torch.bfloat16), step=3
    )
    arrays = Checkpoint.read(checkpoint.save(f"{home}/ckpt"))
    assert {name: (array.dtype.name, array.tolist()) for name, array in arrays.items()} == {
        "a/b/0": ("int64", [0, 1, 2]),
        "a/b/1": ("float32", [1.0, 1.0]),
        "t": ("bfloat16", [1.0]),
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda fill: np.full(2, fill),
        lambda fill: torch.full((2,), float(fill)),
        lambda fill: {"w": {"b": jnp.full(2, fill)}, "n": fill},
        lambda fill: [np.full(2, fill), [fill]],
        lambda fill: Record(np.full(1, fill), {"a": fill}),
        lambda fill: [fill, {"x": fill}],
    ],
)
def test_one_object_under_two_names_becomes_two_where_two_were_saved(home, make):
    """Many loops begin like this: the same zeros are the first value of two objects."""
    zeros = make(0)
    found = round_trip(
        home, {"mean": make(1), "inner": [make(2), 0]}, {"mean": zeros, "inner": [zeros, 0]}
    )
    assert same(found.mean, make(1))
    assert same(found.inner, [make(2), 0])
    assert found.mean is zeros


def test_one_object_under_two_names_stays_one_where_one_was_saved(home):
    both, zeros = {"w": np.full(2, np.nan)}, {"w": np.zeros(2)}
    found = round_trip(home, {"a": both, "b": both}, {"a": zeros, "b": zeros})
    assert found.a is found.b is zeros
    assert same(found.a, both)
