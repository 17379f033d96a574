"""A Checkpoint brings back each kind of value, in place where the value can be changed."""

from __future__ import annotations

import datetime
import io
import struct
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

import every_kind
import pytest

import rekindle
from rekindle import Checkpoint
from rekindle._codec import leaves
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


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC"])
def test_a_time_keeps_its_zone(zone, home):
    # An hour that comes twice, and a moment without a date.
    second = datetime.datetime(2026, 10, 25, 2, 30, 0, 250, ZoneInfo(zone), fold=1)
    clock = datetime.time(2, 30, tzinfo=ZoneInfo(zone))
    path = Checkpoint(x=[second, clock]).save(f"{home}/ckpt")
    again = Checkpoint(x=[None, None])
    again.restore(path).assert_consumed()
    assert repr(again.x) == repr([second, clock])
    assert again.x[0].utcoffset() == second.utcoffset()


def test_a_time_in_a_zone_without_a_known_name_is_refused(home):
    for name in ("Nowhere/Land", "Europe", "../../etc/passwd", "/etc/passwd", "a\0", "", 3):
        with pytest.raises((rekindle.errors.BrokenTreeError, ValueError, TypeError)):
            leaves.decode("datetime", ["2026-01-01T00:00:00", 0, name])
    own = ZoneInfo.from_file(io.BytesIO((Path(TZPATH[0]) / "UTC").read_bytes()))
    with pytest.raises(rekindle.ArgumentError, match="a time in a zone of type 'ZoneInfo'"):
        Checkpoint(x=datetime.datetime(2026, 1, 1, tzinfo=own)).save(f"{home}/ckpt")


def test_a_bytearray_comes_back_in_place(home):
    live = bytearray(b"now")
    path = Checkpoint(x=live, pair=[bytearray(3), 1]).save(f"{home}/ckpt")
    live[:] = b"later than now"
    again = Checkpoint(x=live, pair=[None, 0])
    again.restore(path).assert_consumed()
    assert again.x is live
    assert (live, again.pair) == (b"now", [bytearray(3), 1])


def test_two_bytearrays_that_were_one_come_back_as_two(home):
    path = Checkpoint(a=bytearray(b"a"), b=bytearray(b"b")).save(f"{home}/ckpt")
    one = bytearray()
    again = Checkpoint(a=one, b=one)
    again.restore(path).assert_consumed()
    assert (again.a, again.b) == (b"a", b"b")


def bits(value):
    parts = (value.real, value.imag) if isinstance(value, complex) else (value,)
    return [struct.pack(">d", part).hex() for part in parts]


@pytest.mark.parametrize("digits", ["7ff00000000007a2", "fff8000000000000", "7ff8000000000000"])
def test_a_number_that_is_none_keeps_its_bits(digits, home):
    number = struct.unpack(">d", bytes.fromhex(digits))[0]
    values = [number, complex(1, number), complex(number, float("-inf"))]
    again = Checkpoint(x=[None])
    again.restore(Checkpoint(x=values).save(f"{home}/ckpt")).assert_consumed()
    assert [bits(one) for one in again.x] == [bits(one) for one in values]


@pytest.mark.parametrize("content", ["nan", "3ff0000000000000", "7ff8", "zz", 3, None])
def test_bits_of_another_number_are_refused(content):
    with pytest.raises((rekindle.errors.BrokenTreeError, ValueError, TypeError)):
        leaves.decode("nan", content)
