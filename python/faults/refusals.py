"""Lets the N-th call fail, for every N and every errno, and checks what the store does then."""

from __future__ import annotations

import contextlib
import errno
import os
import warnings
from dataclasses import dataclass, field

from faults import children, preload, scenes, tree
from rekindle._repository.repository import Repository
from rekindle.errors import RekindleError, RekindleWarning, RestoreError, SaveError

ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EACCES", "EROFS", "EINTR", "short write")


@dataclass
class Refusals:
    """The results of all tries, each with one failing call.

    Attributes:
        tried: Calls that were made to fail.
        unharmed: Runs that did not notice the failure.
        saves: Runs in which a save failed, with a :class:`SaveError`.
        restores: Runs that raised a :class:`RestoreError` before they began.
        warned: Runs that gave a warning, because they could not remove something.
        wrong: Everything else.
    """

    tried: int = 0
    unharmed: int = 0
    saves: int = 0
    restores: int = 0
    warned: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, where: str, outcome: children.Outcome, fault: str | None) -> None:
        self.tried += 1
        if fault is not None:
            self.wrong.append(f"{where}: {fault}")
        elif "save" in outcome.said:
            self.saves += 1
        elif "restore" in outcome.said:
            self.restores += 1
        elif "warning" in outcome.said:
            self.warned += 1
        else:
            self.unharmed += 1


# How packs go to the disk. The packs of a small model are written as new files. The packs of a
# large model are written over old packs, or past the system's cache.
WAYS = ("small", "over old packs", "past the cache")


class Case:
    """A run with two saves in which one call fails, or all calls from one on; then one more save.

    Args:
        top: The folder that is watched.
        kept: How many checkpoints are kept.
        error: A name of :data:`ERRORS`.
        lasting: Whether the calls fail from the N-th on, until the run's last save.
        way: One of :data:`WAYS`.
    """

    def __init__(
        self,
        top: str,
        kept: int,
        error: str,
        faults: preload.Faults,
        *,
        lasting: bool,
        way: str,
    ) -> None:
        self.top, self.kept, self.error, self.lasting = top, kept, error, lasting
        self._sized = contextlib.nullcontext if way == "small" else scenes.as_if_large
        self._past_cache = way == "past the cache"
        self._faults = faults
        tree.empty(top)
        scenes.Store().save(top, range(3), kept)
        self._start = tree.take(top)
        self._is_short = error == "short write"
        self._kinds = preload.WRITE if self._is_short else preload.EVERYTHING

    def calls(self) -> int:
        """The number of calls in a run without a failure."""
        outcome = children.run(lambda say: self._run(preload.FOREVER, say))
        assert outcome.crash is None, outcome.crash
        return outcome.said[-1]["calls"]

    def try_call(self, n: int) -> tuple[children.Outcome, str | None]:
        """Lets the n-th call fail. Returns the outcome, and what was wrong with it, or None."""
        tree.put(self._start, self.top)
        outcome = children.run(lambda say: self._run(n, say))
        if outcome.crash is not None or outcome.killed:
            return outcome, outcome.crash or f"the process ended with {outcome.status}"
        acknowledged = [index for index in outcome.said if isinstance(index, int)]
        if acknowledged[-1:] != [12]:
            return outcome, "the save after the failure did not succeed"
        try:
            found = scenes.Store().restored(self.top)
        except RekindleError as error:
            return outcome, repr(error)
        return outcome, None if found == 12 else f"save {found} was restored"

    def _arm(self, n: int) -> None:
        last = preload.FOREVER if self.lasting else n
        number = 0 if self._is_short else getattr(errno, self.error)
        action = preload.SHORT if self._is_short else preload.FAIL
        self._faults.watch(self.top)
        self._faults.arm(action, self._kinds, n, last, number)

    def _run(self, n: int, say: children.Say) -> None:
        with warnings.catch_warnings(record=True) as caught, self._sized():
            warnings.simplefilter("always")
            self._two_saves(n, say)
        if caught:
            assert all(issubclass(one.category, RekindleWarning) for one in caught), caught
            say("warning")

    def _two_saves(self, n: int, say: children.Say) -> None:
        folder = scenes.Store().open(self.top, past_cache=self._past_cache)
        self._arm(n)
        try:
            folder.newest()
        except RestoreError:
            say("restore")
            self._faults.disarm()
            folder.newest()
        for index in (10, 11):
            self._save(folder, index, say)
        folder.close()
        calls = self._faults.disarm()
        self._save(folder, 12, say)
        names = set(os.listdir(folder.storage.url)) - {folder.storage._pack_file.spare.name}
        expected = {".lock", "checkpoint"} | {f"ckpt-{number}.json" for number in folder.numbers}
        assert names == expected | folder._index.packs_in_use(), names
        folder.close()
        say({"calls": calls})

    def _save(self, folder: Repository, index: int, say: children.Say) -> None:
        before = self._names(folder)
        try:
            folder.commit(scenes.snapshot(index))
            say(index)
            folder.keep(folder.numbers[-self.kept :])
        except SaveError as error:
            say("save")
            _check_wording(error)
            added = self._names(folder) - before
            # If unlink() fails too, the new files stay until the next sweep.
            if not self.lasting and not any(name.endswith(".json") for name in added):
                assert not added, added

    def _names(self, folder: Repository) -> set[str]:
        with self._faults.paused():
            return set(os.listdir(folder.storage.url)) - {".lock"}


def _check_wording(error: SaveError) -> None:
    assert error.needed > 0
    assert " needed" in str(error)
    assert "previous checkpoint is still there" in str(error)


def sweep(
    kept: int,
    error: str,
    top: str,
    faults: preload.Faults,
    *,
    lasting: bool,
    way: str,
    step: int = 1,
) -> Refusals:
    """Lets each call, or each `step`-th call, fail with this errno."""
    case = Case(top, kept, error, faults, lasting=lasting, way=way)
    refusals = Refusals()
    for n in range(1, case.calls() + 1, step):
        outcome, fault = case.try_call(n)
        refusals.add(f"call {n} failing with {error}", outcome, fault)
    return refusals
