"""Another user swaps names while a backup is opened: the run refuses, or nothing happens.

The victim restores and saves as this process does, again and again. The attacker, a process of
another user, puts links and prepared folders or files in place of the victim's, and takes them
away, as quickly as it can. This needs root, who can become another user.
"""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import shutil
import signal
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import rekindle
from faults import children, table, tree
from rekindle.errors import RekindleError

# The id of a user without a name.
OTHER = 54321

# The values of a new run, of the victim's backup and of the attacker's backup.
_NEW, _OWN, _THEIRS = 0.0, 7.0, 666.0

# After so many seconds, a try waits for something that will not come.
_PATIENCE = 300


@dataclass
class Row:
    """The outcomes of one kind of race.

    Attributes:
        name: What the attacker swaps.
        tried: How often the victim opened the folder.
        swaps: How often the attacker put something else in place.
        ended: How often each outcome was seen.
        wrong: What must not happen, and did.
    """

    name: str
    tried: int = 0
    swaps: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class _Numbers:
    """Three numbers that both processes see: the current try, the swaps, and the end."""

    def __init__(self) -> None:
        self._shared = memoryview(mmap.mmap(-1, 32)).cast("q")

    def __getitem__(self, index: int) -> int:
        return self._shared[index]

    def __setitem__(self, index: int, value: int) -> None:
        self._shared[index] = value


_TRY, _SWAPS, _END, _STEPS = range(4)


class _Place:
    """The folders of one race.

    Args:
        top: A scratch folder.
        mode: The permissions of the folder that both users may write to.
    """

    def __init__(self, top: str, mode: int) -> None:
        os.chmod(top, 0o711)
        self.shared, self.theirs = os.path.join(top, "shared"), os.path.join(top, "theirs")
        self.own, self.precious = os.path.join(top, "own"), os.path.join(top, "precious")
        for folder in (self.shared, self.precious):
            os.mkdir(folder)
        os.chmod(self.shared, mode)
        Path(self.precious, "profile").write_text("mine\n")
        for folder, value in ((self.own, _OWN), (self.theirs, _THEIRS)):
            with _manager(folder, value) as manager:
                manager.save()
        shutil.move(self.theirs, self.shared)
        self.theirs = os.path.join(self.shared, "theirs")
        for path in (self.theirs, *map(str, Path(self.theirs).iterdir())):
            os.chown(path, OTHER, OTHER)
        # A saved file of the victim's, which a link may lead to.
        shutil.copy(os.path.join(self.own, "ckpt-1.json"), self.precious)
        self.before = tree.take(self.precious)

    def backup(self, number: int) -> str:
        return os.path.join(self.shared, f"backup-{number}")


def _manager(folder: str, value: float) -> Any:
    return rekindle.CheckpointManager(rekindle.Checkpoint(x=np.array([value])), folder, 3)


def _swap_new(place: _Place, backup: str) -> Iterator[Callable[[], None]]:
    """Puts a link, then a prepared folder, where the victim is about to make its folder."""
    yield lambda: os.symlink(place.precious, backup)
    yield lambda: os.unlink(backup)
    yield lambda: os.rename(place.theirs, backup)
    yield lambda: os.rename(backup, place.theirs)


def _swap_folder(place: _Place, backup: str) -> Iterator[Callable[[], None]]:
    """Moves the victim's folder away, and puts something else in its place."""
    away = backup + ".away"
    yield lambda: os.rename(backup, away)
    yield from _swap_new(place, backup)
    yield lambda: os.rename(away, backup)


def _swap_files(place: _Place, backup: str) -> Iterator[Callable[[], None]]:
    """Moves the files of a backup away, and puts links and prepared files in their place."""
    for name in ("ckpt-1.json", "ckpt-1.safetensors", ".lock", ".rekindle-ckpt-2.json.tmp"):
        path, prepared = os.path.join(backup, name), os.path.join(backup, f"prepared-{name}")
        away = path + ".away"
        yield lambda path=path, away=away: os.rename(path, away)
        yield lambda path=path, name=name: os.symlink(os.path.join(place.precious, name), path)
        yield lambda path=path: os.unlink(path)
        with contextlib.suppress(OSError):
            shutil.copy(os.path.join(place.theirs, name), prepared)
        yield lambda path=path, prepared=prepared: os.rename(prepared, path)
        yield lambda path=path: os.unlink(path)
        yield lambda path=path, away=away: os.rename(away, path)


@dataclass(frozen=True)
class _Kind:
    name: str
    mode: int
    swap: Callable[[_Place, str], Iterator[Callable[[], None]]]
    # Whether the victim has a backup already, and the permissions of its folder.
    has_backup: bool
    backup_mode: int = 0o755


_KINDS = (
    _Kind("a new backup in a sticky folder", 0o1777, _swap_new, has_backup=False),
    _Kind("a backup in a sticky folder", 0o1777, _swap_folder, has_backup=True),
    _Kind("a backup in a folder without the sticky bit", 0o777, _swap_folder, has_backup=True),
    _Kind("files of a backup that all may write to", 0o777, _swap_files, True, 0o777),
)


def _attack(place: _Place, kind: _Kind, numbers: _Numbers) -> None:
    os.setgroups([])
    os.setgid(OTHER)
    os.setuid(OTHER)
    os.umask(0)
    while not numbers[_END]:
        for step in kind.swap(place, place.backup(numbers[_TRY])):
            numbers[_STEPS] += 1
            try:
                step()
            except OSError:
                # The victim, or the sticky bit, was in the way.
                continue
            numbers[_SWAPS] += 1


def _try(place: _Place, kind: _Kind, number: int, numbers: _Numbers) -> str:
    """One restore and one save of the victim. Returns how it ended."""
    backup = place.backup(number)
    if kind.has_backup:
        shutil.copytree(place.own, backup)
        os.chmod(backup, kind.backup_mode)
    numbers[_TRY] = number
    manager = _manager(backup, _NEW)
    try:
        with manager:
            manager.restore_or_initialize()
            value = manager.checkpoint.x.tolist()[0]
            manager.save()
    except RekindleError as error:
        return type(error).__name__
    return {_NEW: "began anew", _OWN: "resumed its own"}.get(value, f"took {value}")


def _victim(place: _Place, kind: _Kind, tries: int, numbers: _Numbers, say: Any) -> None:
    warnings.simplefilter("ignore")
    signal.alarm(_PATIENCE)
    ended: Counter[str] = Counter()
    # In a sticky folder each step of the attacker's may fail, so no swap is waited for.
    while not numbers[_STEPS]:
        os.sched_yield()
    for number in range(1, tries + 1):
        ended[_try(place, kind, number, numbers)] += 1
        if tree.take(place.precious) != place.before:
            say({"ended": ended, "wrong": f"try {number}: a file outside of the folder changed"})
            return
    say({"ended": ended, "wrong": None})


def _race(kind: _Kind, tries: int) -> Row:
    row, numbers = Row(kind.name, tries), _Numbers()
    with tree.scratch() as top:
        place = _Place(top, kind.mode)
        attacker = os.fork()
        if attacker == 0:
            with contextlib.suppress(BaseException):
                _attack(place, kind, numbers)
            os._exit(0)
        try:
            outcome = children.run(lambda say: _victim(place, kind, tries, numbers, say))
        finally:
            numbers[_END] = 1
            _, status = os.waitpid(attacker, 0)
        row.swaps = numbers[_SWAPS]
        _judge(row, outcome, status)
        _judge_theirs(row, place)
    return row


def _judge(row: Row, outcome: children.Outcome, attacker: int) -> None:
    if outcome.crash is not None or outcome.status or not outcome.said:
        row.wrong.append(outcome.crash or f"the victim ended with {outcome.status}")
        return
    found = outcome.said[-1]
    row.ended.update(found["ended"])
    if found["wrong"]:
        row.wrong.append(found["wrong"])
    row.wrong += [f"{how}, {n} times" for how, n in row.ended.items() if how.startswith("took")]
    if attacker:
        row.wrong.append(f"the attacker ended with {attacker}")


def _judge_theirs(row: Row, place: _Place) -> None:
    """A refused folder of the attacker's has no new files."""
    folders = [place.theirs, *(place.backup(number) for number in range(1, row.tried + 1))]
    for folder in folders:
        if not os.path.isdir(folder) or os.path.islink(folder) or os.stat(folder).st_uid != OTHER:
            continue
        if len(os.listdir(folder)) != len(os.listdir(place.own)):
            row.wrong.append(f"a folder of the attacker's was changed: {os.listdir(folder)}")


def run(tries: int) -> list[Row] | None:
    """Runs `tries` races in all, as many of each kind; ``None`` if this process is not root's."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    each = [tries // len(_KINDS)] * len(_KINDS)
    return list(itertools.starmap(_race, zip(_KINDS, each, strict=True)))


def show(tries: int) -> list[str]:
    """Runs the races and prints the table. Returns what was wrong."""
    rows = run(tries)
    if rows is None:
        print("Not tried, because this process is not root's: another user who swaps names")
        return []
    cells = []
    for row in rows:
        counts = ", ".join(f"{how} {times}" for how, times in row.ended.most_common())
        cells.append([row.name, row.tried, row.swaps, len(row.wrong), counts])
    head = ["another user swaps", "tries", "swaps", "wrong", "how they ended"]
    table.show("Another user swaps names while a backup is opened", head, cells)
    return [f"{row.name}: {one}" for row in rows for one in row.wrong]
