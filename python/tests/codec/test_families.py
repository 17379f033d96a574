"""A value takes only the place of one of its family."""

from __future__ import annotations

import collections
import datetime
import pathlib

import numpy as np
import pytest

import rekindle
from rekindle import Checkpoint
from rekindle._codec import families
from rekindle._codec.capture import Capture
from rekindle._codec.changeable import Baseline
from rekindle._codec.restore import Restore


def family(value):
    capture = Capture(value)
    return families.of(capture.take(value, "x"), capture.arrays)


def are_alike(before, after):
    return families.are_alike(family(before), family(after))


# Each is of one family.
FAMILIES = {
    "numbers": [0, 1.5, float("nan"), 10**30, 1j, np.float32(2), np.array(3)],
    "truth values": [True, np.bool_(False)],
    "texts": ["", "x"],
    "bytes": [b"x", bytearray(b"x")],
    "paths": [pathlib.Path("x"), pathlib.PurePosixPath("y")],
    "moments": [datetime.datetime(2020, 1, 1)],
    "lengths": [datetime.timedelta(1)],
    "lists": [[], [1], [1, 2.5]],
    "queues": [collections.deque(), collections.deque([1])],
    "sets": [{1}, frozenset()],
    "tuples": [(), (1, "x"), (2, "y")],
    "dicts": [{}, {"a": 1}, collections.Counter("aa"), collections.OrderedDict(b="x")],
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_value_takes_the_place_of_its_family_and_of_no_other(name):
    for before in FAMILIES[name]:
        for other, values in FAMILIES.items():
            for after in values:
                assert are_alike(before, after) == (other == name), (before, after)


@pytest.mark.parametrize("name", FAMILIES)
def test_nothing_takes_every_place_and_gives_it(name):
    for value in FAMILIES[name]:
        assert are_alike(None, value)
        assert are_alike(value, None)


def test_an_array_takes_the_place_of_a_number_that_was_added_to():
    assert are_alike(0, np.zeros(3))
    assert not are_alike(np.zeros(3), 0)
    assert are_alike(np.zeros(0), np.ones((3, 2)))


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ([1], [2, 3], True),
        ([1], ["x"], False),
        ([1], [[1]], False),
        ([[1], "x"], ["y", [2], [3]], True),
        ([[1]], [["x"]], False),
        ([None], ["x"], True),
        ([], [["x"]], True),
        ((1, "x"), (2, 3), False),
        ((1,), (2, "x"), True),
        ({"a": 1}, {"a": "x"}, False),
        ({"a": 1}, {"b": "x"}, True),
        ({"a": 1}, {1: 1}, False),
        ({"a": 1}, {1: "x", "a": 2}, True),
        ({1: "x"}, {2.5: "y"}, True),
        ({1: "x", "a": 1}, {2: "y"}, True),
        ({(1, "a"): 1}, {(2, 3): 1}, False),
        ({}, {1: "x"}, True),
        ({"a": []}, {"a": [{}], "b": 0.5}, True),
        ({"a": {"b": 1}}, {"a": {"b": []}}, False),
    ],
)
def test_the_parts_of_a_container_are_compared(before, after, wanted):
    assert are_alike(before, after) is wanted


@pytest.fixture
def _in_r(monkeypatch):
    monkeypatch.setattr(families, "_are_vectors", False)
    families.values_are_vectors()


@pytest.mark.usefixtures("_in_r")
@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        (0.5, [0.5, 1], True),
        ([0.5, 1], 0.5, True),
        ([], 0.5, True),
        ([], {"a": 1}, True),
        (True, [True, False], True),
        (0.5, ["x"], False),
        (0.5, [[1]], False),
        ([0.5], True, False),
        (0.5, {"a": 1}, False),
    ],
)
def test_values_of_r_are_vectors(before, after, wanted):
    assert are_alike(before, after) is wanted


class Counting:
    def __init__(self):
        self.count = 0
        self.seen = [1]


def test_a_changed_type_is_named_when_it_is_captured():
    live = Counting()
    baseline = Baseline(vars(live), live)
    live.count, live.seen = [1], [(1, 2)]
    count = baseline.take("count", live.count, "count")
    assert "(count: expected a number, found a list of numbers)" in count
    seen = baseline.take("seen", live.seen, "seen")
    assert "(seen: expected a list of numbers, found a list of tuples)" in seen


@pytest.mark.parametrize("saved", [True, [], [3], {}, {"$": ["set", [1]]}, {"$": ["tuple", []]}])
def test_a_value_of_another_type_is_refused(saved):
    live = Counting()
    baseline = Baseline(vars(live), live)
    with pytest.raises(rekindle.errors.BrokenTreeError, match=r"Counting\.count that training"):
        baseline.read("count", saved, Restore({}, live_only=True))
    assert live.count == 0


@pytest.mark.parametrize(
    ("live", "saved", "found"),
    [
        ([1], ["x"], "expected a list of numbers, found a list of texts"),
        ({"a": 1}, {"a": "x"}, "x/a: expected a number, found a text"),
        ({"a": 1}, {1: 1}, "expected a dict with keys of texts, found a dict with keys of numbers"),
        ([[1]], [{}], "expected a list of lists, found a list of dicts"),
    ],
)
def test_a_checkpoint_keeps_the_types_in_its_containers(live, saved, found, tmp_path):
    path = Checkpoint(x=saved).save(tmp_path / "ckpt")
    checkpoint = Checkpoint(x=live)
    before = repr(live)
    with pytest.raises(rekindle.MismatchError, match=found):
        checkpoint.restore(path)
    assert repr(checkpoint.x) == before


def test_keys_that_are_made_up_cannot_all_have_one_hash():
    saved = {"$": ["dict", [[n * (2**61 - 1), n] for n in range(3)]]}
    kind, (_, pairs) = families.of(saved, {})
    # Python gives texts other hashes in each process.
    assert kind == "dict"
    assert all(type(key) is str for key, _ in pairs)
