"""The runs of this process, by the real path of their folder: the last one, and how many ended."""

from __future__ import annotations

import collections
import weakref
from typing import Protocol

from rekindle._base import places


class OpenRun(Protocol):
    """The methods that are called on a run whose ``fit()`` ended by an exception."""

    @property
    def knows_fit(self) -> bool: ...

    def is_training(self) -> bool: ...

    def settle(self) -> None: ...

    def close(self) -> None: ...


_runs: weakref.WeakValueDictionary[str, OpenRun] = weakref.WeakValueDictionary()
_complete: collections.Counter[str] = collections.Counter()


def add(directory: str, run: OpenRun) -> None:
    """Notes that this run has locked the folder."""
    _runs[places.real(directory)] = run


def completed(directory: str) -> None:
    """Notes that a ``fit()`` with this folder has come to its end."""
    _complete[places.real(directory)] += 1


def count_completed(directory: str) -> int:
    """How many calls of ``fit()`` with this folder have come to their end in this process."""
    return _complete[places.real(directory)]


def let_go(directory: str) -> None:
    """Closes the folder's run, if a ``fit()`` of this process left it open by an exception."""
    earlier = _ended(directory)
    if earlier is not None:
        earlier.close()


def let_go_ended() -> None:
    """Releases the folders of every ``fit()`` that ended by an exception; for a host language.

    A host language keeps the exception until the next one, and with it the frames of the ``fit()``.
    """
    for run in list(_runs.values()):
        # rekindle does not know whether a custom training loop has ended.
        if run.knows_fit and not run.is_training():
            run.close()


def settle(directory: str) -> None:
    """Waits for the saves in this folder that such a ``fit()`` has requested."""
    earlier = _ended(directory)
    if earlier is not None:
        earlier.settle()


def _ended(directory: str) -> OpenRun | None:
    earlier = _runs.get(places.real(directory))
    return earlier if earlier is not None and not earlier.is_training() else None
