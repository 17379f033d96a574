"""A reader accepts every value that a save accepts."""

from __future__ import annotations

import math
import tempfile
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import rekindle
from rekindle import inspection
from rekindle._format.manifest import Position
from rekindle._format.snapshot import Snapshot
from rekindle._repository.repository import Repository
from rekindle._storage.local.storage import LocalStorage

# Hypothesis sometimes prints one of these strategies, and then warns about its length.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

# Includes surrogates and control characters.
TEXT = st.text(st.characters(exclude_categories=()), max_size=8)
INTEGERS = st.integers() | st.integers(-(2**70), 2**70) | st.sampled_from([2**53 + 1, 2**63, -1])
LARGE = st.integers(1000, 3400).map(lambda bits: 2**bits)
NUMBERS = INTEGERS | LARGE | st.floats()
PLAIN = st.none() | st.booleans() | NUMBERS | TEXT
ARRAYS = arrays.arrays(
    st.sampled_from(["float32", "float64", "int64", "uint8", "bool", "complex64", "float16"]),
    arrays.array_shapes(min_dims=0, min_side=0, max_side=3),
)
KEYS = TEXT | st.sampled_from(["$", "", "a/b", "__metadata__"])
HASHABLE = st.recursive(
    PLAIN | st.binary(max_size=4), lambda one: st.tuples(one, one) | st.frozensets(one, max_size=3)
)
TREES = st.recursive(
    PLAIN | st.binary(max_size=4) | ARRAYS | st.sets(HASHABLE, max_size=3),
    lambda one: (
        st.lists(one, max_size=4)
        | st.tuples(one, one)
        | st.dictionaries(KEYS, one, max_size=3)
        | st.dictionaries(HASHABLE, one, max_size=3)
    ),
    max_leaves=12,
)
JSON = st.recursive(
    PLAIN, lambda one: st.lists(one, max_size=3) | st.dictionaries(TEXT, one, max_size=3)
)


def same(one, other):
    if isinstance(one, np.ndarray):
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and one.tobytes() == other.tobytes()
        )
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        # Compare keys in order, because NaN is not equal to any key.
        return same(list(one), list(other)) and same(list(one.values()), list(other.values()))
    if isinstance(one, set | frozenset):
        return shown(one) == shown(other)
    return one == other


def shown(value):
    """A value as text, with sets in a fixed order at any depth."""
    if isinstance(value, tuple):
        return f"({', '.join(map(shown, value))})"
    if isinstance(value, set | frozenset):
        return f"{type(value).__name__}({', '.join(sorted(map(shown, value)))})"
    return repr(value)


def told(value):
    """Metadata as they come back: tuples become lists, and NaN and infinities become names."""
    if isinstance(value, list):
        return [told(item) for item in value]
    if isinstance(value, dict):
        return {key: told(item) for key, item in value.items()}
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


@settings(max_examples=150, deadline=None)
@given(tree=TREES, metadata=st.dictionaries(TEXT, JSON, max_size=3))
def test_of_a_checkpoint_and_its_metadata(tree, metadata):
    with tempfile.TemporaryDirectory() as home:
        manager = rekindle.CheckpointManager(rekindle.Checkpoint(x=tree), home, 1)
        try:
            path = manager.save(with_metadata=metadata)
        except rekindle.ArgumentError:
            return
        finally:
            manager.close()
        assert inspection.info(home).state == "whole"
        assert rekindle.latest_checkpoint(home) == path
        again = rekindle.Checkpoint(x=None)
        again.restore(path).assert_consumed()
        assert same(again.x, tree)
        assert same(manager.metadata(path), told(metadata))


COUNTS = st.none() | st.integers(-2, 2**64) | st.sampled_from([2**53 + 1, 2**63 - 1, 2**63])


@settings(max_examples=100, deadline=None)
@given(
    names=st.sets(KEYS, max_size=3),
    state=st.dictionaries(TEXT, JSON, max_size=2),
    position=st.builds(Position, COUNTS, COUNTS, COUNTS),
    number=st.integers(0, 10**18 + 1),
    now=st.floats(),
)
def test_of_every_member_of_a_manifest(names, state, position, number, now):
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: now)
        folder = Repository(LocalStorage(home), "1.2.3")
        snapshot = Snapshot({name: np.zeros(2) for name in names}, state, position)
        try:
            written = folder.commit(snapshot, number)
        except (rekindle.ArgumentError, rekindle.SaveError):
            folder.close()
            assert inspection.info(home).state == "empty"
            return
        folder.close()
        folder.open()
        found = folder.newest().manifest
        folder.close()
        assert (found.number, found.position, found.time) == (number, position, written.time)
        assert set(found.arrays) == names
        assert same(dict(found.state), state)


@pytest.mark.parametrize("now", [-1.0, -86400.0 * 365 * 40, 1e15, -1e15, float("nan"), 0.0])
def test_a_clock_that_is_set_wrong_keeps_nothing_from_being_read(tmp_path, monkeypatch, now):
    folder = Repository(LocalStorage(str(tmp_path)), "1.2.3")
    folder.commit(Snapshot({"a": np.zeros(1)}))
    monkeypatch.setattr(time, "time", lambda: now)
    folder.commit(Snapshot({"a": np.ones(1)}))
    folder.close()
    assert rekindle.latest_checkpoint(tmp_path) == str(tmp_path / "ckpt-2")
    found = inspection.info(tmp_path)
    assert [save.damage for save in found.saves] == [None, None]
    assert abs(found.saves[1].time) < 1e11


def test_a_manager_goes_on_after_saves_of_before_1970(tmp_path, monkeypatch):
    for now in (-1000.0, -500.0, 1.7e9):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        with rekindle.CheckpointManager(rekindle.Checkpoint(x=1), tmp_path, 2) as manager:
            manager.restore_or_initialize()
            manager.save()
    assert [save.name for save in inspection.info(tmp_path).saves] == ["ckpt-2", "ckpt-3"]
