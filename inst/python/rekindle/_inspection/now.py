"""What a run is doing now: the one home for it, behind the live line, the live page and the report.

Looking is cheap, and costs the training nothing: a look lists the folder, asks who has locked it,
and reads 64 bytes of the witness; a manifest only once. It reads no pack, takes no lock and writes
nothing. It meets files in any state, and takes each that it cannot read as one that is not there.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from rekindle._base import checks, places
from rekindle._format import layout, witness
from rekindle._format.witness import Pulse
from rekindle._inspection import lookup
from rekindle._inspection.moment import Now, Pace, left
from rekindle._inspection.newest import Newest, Saved
from rekindle._storage.protocol import LockStatus, Storage
from rekindle._storage.resolve import resolve
from rekindle.errors import ArgumentError

_OF_PULSE = {"complete": "finished", "preempted": "preempted", "stopped": "stopped"}


class Watcher:
    """Looks at a folder again and again.

    Args:
        directory: The folder. It need not exist yet, but the folder that it will be in must.
        clock: Gives POSIX seconds.
        storage_options: Settings of an object store.

    Raises:
        ArgumentError: There is no such folder, and none that it could be made in.
    """

    def __init__(
        self,
        directory: Any,
        clock: Callable[[], float] = time.time,
        storage_options: lookup.Options = None,
    ) -> None:
        path = places.absolute(checks.place("directory", directory))
        parent = os.path.dirname(path)
        if not places.is_remote(path) and not os.path.isdir(parent):
            raise ArgumentError(
                f"There is no folder {path!r}, and no folder {parent!r} that a run could make it"
                " in. Check the path.",
                argument="directory",
                value=directory,
            )
        options = checks.storage_options(storage_options)
        self._storage: Storage = resolve(path, options=options)
        self._clock = clock
        self._has_run = False
        self._newest = Newest(self._storage)
        self._pace = Pace()
        self._last: Now | None = None

    def look(self) -> Now:
        """What the run is doing now. After its end, what it did last.

        Raises:
            RestoreError: The system refused to list the folder.
        """
        now, storage = self._clock(), self._storage
        with lookup.refusals(storage):
            try:
                names = storage.names()
            except (FileNotFoundError, NotADirectoryError):
                return self._remember(self._gone(now))
            lock = _lock(storage)
            saved = self._newest.among(names)
        pulse = self._pulse(names)
        if lock.held is False and saved is None and pulse is None:
            return self._remember(self._gone(now))
        self._has_run = self._has_run or lock.held is not False
        found = self._described(now, lock, saved, pulse)
        return self._remember(replace(found, state=self._state(lock, pulse)))

    def _remember(self, now: Now) -> Now:
        self._last = now
        return now

    def _gone(self, now: float) -> Now:
        """There is no backup: none yet, or none any more, as a complete training removes it."""
        url = self._storage.url
        if not self._has_run or self._last is None:
            return Now(url, "waiting", now)
        # Without a checkpoint: that is how `words` tells it from a backup that was kept.
        return replace(
            self._last, state="finished", time=now, speed=None, left=None, checkpoint=None
        )

    def _pulse(self, names: list[str]) -> Pulse | None:
        if layout.WITNESS not in names:
            return None
        with contextlib.suppress(OSError):
            head = self._storage.read_part(layout.WITNESS, 0, witness.BEGIN)
            return witness.read_pulse(head)
        return None

    def _state(self, lock: LockStatus, pulse: Pulse | None) -> str:
        said = None if pulse is None else _OF_PULSE.get(pulse.state)
        if lock.held:
            return "running"
        if lock.held is None:
            return said or "unseen"
        return said or ("ended" if pulse is None else "died")

    def _described(
        self, now: float, lock: LockStatus, saved: Saved | None, pulse: Pulse | None
    ) -> Now:
        found = Now(self._storage.url, "running", now, lock.holder)
        if saved is not None:
            at, plan = saved.position, saved.attempts
            found = replace(
                found,
                epoch=at.epoch,
                batch=at.batch or 0 if at.epoch is not None else None,
                step=at.step if at.epoch is None else None,
                epochs=plan.epochs,
                batches=plan.batches,
                attempt=plan.rows[-1].number if plan.rows else None,
                seen=saved.time,
                checkpoint=f"{saved.prefix}-{saved.number}",
                saved=saved.time,
                metrics=saved.metrics,
            )
        started = None if lock.holder is None else lock.holder.started
        if pulse is not None and (saved is None or saved.prefix == layout.PREFIX):
            is_old = bool(lock.held) and started is not None and pulse.time < started - 1.0
            found = _with_pulse(found, pulse, is_old=is_old)
        found = replace(found, speed=self._pace.speed(found, saved, started))
        return replace(found, left=left(found)) if lock.held is not False else found


def _lock(storage: Storage) -> LockStatus:
    try:
        return storage.probe()
    # The lock file may come and go while it is looked at.
    except (FileNotFoundError, NotADirectoryError):
        return LockStatus()
    except PermissionError:
        return LockStatus(None, None)


def _with_pulse(now: Now, pulse: Pulse, *, is_old: bool) -> Now:
    if is_old:
        # The attempt that goes on has not trained a batch yet.
        return replace(now, attempt=pulse.attempt + 1, epochs=pulse.epochs, batches=pulse.batches)
    place, of_save = (pulse.epoch, pulse.batch), (now.epoch or 0, now.batch or 0)
    # Of the same attempt, the later place; a pulse is up to a second old.
    if now.epoch is not None and now.attempt == pulse.attempt and of_save > place:
        place = of_save
    return replace(
        now,
        epoch=place[0],
        batch=place[1],
        step=None,
        attempt=pulse.attempt,
        epochs=pulse.epochs or now.epochs,
        batches=pulse.batches or now.batches,
        seen=max(pulse.time, now.saved or 0.0) if place == of_save else pulse.time,
        loss=pulse.loss,
    )


def watched(directory: Any, every: Any, options: lookup.Options = None) -> Iterator[Now]:
    """What the run is doing, every so many seconds, until it has ended."""
    seconds = interval(every)
    return _watched(Watcher(directory, storage_options=options), seconds)


def interval(value: Any) -> float:
    """Checks the seconds between two looks."""
    if checks.is_number(value) and 0 < value < float("inf"):
        return float(value)
    raise checks.invalid("every", value, "a number of seconds above 0")


def _watched(watcher: Watcher, seconds: float) -> Iterator[Now]:
    while True:
        now = watcher.look()
        yield now
        if now.is_over:
            return
        time.sleep(seconds)
