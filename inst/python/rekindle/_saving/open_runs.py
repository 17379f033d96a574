"""The run that last locked each folder in this process, by the folder's real path."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class OpenRun(Protocol):
    """The methods that are called on a run whose ``fit()`` ended by an exception."""

    @property
    def knows_fit(self) -> bool: ...

    def is_training(self) -> bool: ...

    def settle(self) -> None: ...

    def close(self) -> None: ...


_runs: weakref.WeakValueDictionary[str, OpenRun] = weakref.WeakValueDictionary()


def add(directory: str, run: OpenRun) -> None:
    """Notes that this run has locked the folder."""
    _runs[os.path.realpath(directory)] = run


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
    earlier = _runs.get(os.path.realpath(directory))
    return earlier if earlier is not None and not earlier.is_training() else None
