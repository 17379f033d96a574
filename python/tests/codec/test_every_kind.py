"""A Checkpoint brings back each kind of value, in place where the value can be changed."""

from __future__ import annotations

import every_kind
import pytest

import rekindle
from rekindle import Checkpoint
from rekindle._saving import metadata

NAMES = list(every_kind.made())
IN_PLACE = (
    *("array", "pairs", "list", "dict", "set", "deque", "counter", "ordered", "default", "own"),
    *("made by the script", "record", "paths", "python", "numpy", "legacy", "generators"),
)


def changed():
    values = every_kind.made()
    for step in range(3):
        every_kind.change(values, step)
    return values


@pytest.mark.parametrize("name", [name for name in NAMES if name != "grown"])
def test_each_kind_comes_back_as_what_it_was(name, home):
    path = Checkpoint(x=changed()[name]).save(f"{home}/ckpt")
    live = every_kind.made()[name]
    again = Checkpoint(x=live)
    again.restore(path).assert_consumed()
    assert every_kind.shown(again.x) == every_kind.shown(changed()[name])
    assert (again.x is live) == (name in IN_PLACE)


def test_a_container_that_stands_in_too_many_places_is_refused(home):
    value = [0]
    for _ in range(60):
        value = [value, value]
    with pytest.raises(rekindle.ArgumentError, match="stand in too many places"):
        Checkpoint(x=value).save(f"{home}/ckpt")


@pytest.mark.parametrize(
    ("value", "version"),
    [([1, {"a": 2.5}, {3}, b"x", (1,)], 1), (every_kind.Pair(1, 2), 1), (1j, 3), ({"a": 1j}, 3)],
)
def test_a_checkpoint_has_the_lowest_version_that_reads_it(value, version, home, monkeypatch):
    path = Checkpoint(x=value).save(f"{home}/ckpt")
    monkeypatch.setattr(metadata, "STATE_VERSION", 2)
    live = Checkpoint(x=type(value)(*[0, 0]) if isinstance(value, tuple) else None)
    if version == 1:
        live.restore(path).assert_consumed()
        assert every_kind.shown(live.x) == every_kind.shown(value)
        return
    with pytest.raises(rekindle.FormatError, match=r"whose state has version 3.*Update rekindle"):
        live.restore(path)
    assert live.x is None


def test_a_member_comes_back_only_in_the_place_of_one_of_its_class(home):
    path = Checkpoint(x=[every_kind.Phase.MAIN]).save(f"{home}/ckpt")
    for live in ([None], [every_kind.Level.LOW], [3]):
        with pytest.raises(rekindle.MismatchError, match="found a member of 'Phase'"):
            Checkpoint(x=live).restore(path)
