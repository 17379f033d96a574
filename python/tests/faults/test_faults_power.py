"""Tests the replayer itself, on calls for which the states after a power cut are known."""

from __future__ import annotations

import random

import pytest

from faults import power
from faults.disk import Replay


def call(name: str, fd: int = -1, path: str = "", other: str = "", data: bytes = b"") -> bytes:
    head = f"{name}\t{fd}\t0\t{len(data)}\t0\t{path}\t{other}\n"
    return head.encode() + data


def states(mood: str, *calls: bytes, start=None) -> list[dict]:
    disk = Replay("/top", start or {}, b"".join(calls)).disk
    found = []
    for tree, _ in power.states(disk, mood):
        if tree not in found:
            found.append(tree)
    return found


CREATED = (call("create", 3, "/top/a"), call("write", 3, data=b"new!"))
RENAMED = call("rename", path="/top/a", other="/top/b")
SYNCED = call("sync", 3)
FOLDER_SYNCED = (call("open", 4, "/top"), call("sync", 4))


class TestARenameWithoutASync:
    @pytest.mark.parametrize("mood", ["writeback", "anyhow"])
    def test_it_may_leave_a_file_without_its_bytes(self, mood):
        found = states(mood, *CREATED, RENAMED)
        assert {"b": b""} in found
        assert {"b": bytes(4)} in found
        assert {"b": b"ne"} in found

    def test_a_journal_writes_the_bytes_first(self):
        found = states("journal", *CREATED, RENAMED)
        assert {"b": b"new!"} in found
        assert {"b": b""} not in found

    @pytest.mark.parametrize("mood", power.MOODS)
    def test_the_file_may_be_as_it_was(self, mood):
        assert {"b": b"old"} in states(mood, *CREATED, RENAMED, start={"b": b"old"})


@pytest.mark.parametrize("mood", power.MOODS)
def test_after_both_syncs_there_is_but_one_state(mood):
    calls = (*CREATED, SYNCED, RENAMED, *FOLDER_SYNCED)
    disk = Replay("/top", {}, b"".join(calls)).disk
    last = [tree for tree, acknowledged in _at_end(disk, mood)]
    assert last == [{"b": b"new!"}]


def _at_end(disk, mood):
    """The states that a power cut after the last call may leave."""
    found = []
    for tree in power._names(disk, mood, disk.end - 1, random.Random(0)):
        for content in power._contents(disk, mood, disk.end - 1, tree[1]):
            state = disk.tree(tree[0], content), False
            if state not in found:
                found.append(state)
    return found


def test_without_the_folders_sync_one_rename_may_come_and_another_not():
    start = {"a": b"1", "b": b"2"}
    first = call("rename", path="/top/a", other="/top/x")
    second = call("rename", path="/top/b", other="/top/y")
    late_only = {"a": b"1", "y": b"2"}
    assert late_only in states("anyhow", first, second, start=start)
    assert late_only not in states("journal", first, second, start=start)


def test_a_mark_tells_what_was_acknowledged():
    disk = Replay("/top", {}, b"".join([*CREATED, call("mark", path="7"), RENAMED])).disk
    assert disk.marks == [2]
    assert {ack for _, ack in power.states(disk, "journal")} == {False, True}
