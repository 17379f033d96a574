"""The run that last took each folder in this process, by the folder's real path."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class OpenRun(Protocol):
    """What is asked of a run whose fit() ended by an exception."""

    @property
    def knows_fit(self) -> bool: ...

    def is_training(self) -> bool: ...

    def settle(self) -> None: ...

    def close(self) -> None: ...


_runs: weakref.WeakValueDictionary[str, OpenRun] = weakref.WeakValueDictionary()


def add(directory: str, run: OpenRun) -> None:
    """This run has taken the folder."""
    _runs[os.path.realpath(directory)] = run


def let_go(directory: str) -> None:
    """Closes what a fit() of this process that ended by an exception left open in the folder."""
    earlier = _ended(directory)
    if earlier is not None:
        earlier.close()


def let_go_ended() -> None:
    """Lets go of the folders of every fit() that ended by an exception; for a host language.

    There, the exception is kept until the next one, and with it the frames of the fit().
    """
    for run in list(_runs.values()):
        # Of a training loop of one's own it is not known whether it has ended.
        if run.knows_fit and not run.is_training():
            run.close()


def settle(directory: str) -> None:
    """Waits until what such a fit() has asked to be saved there is saved."""
    earlier = _ended(directory)
    if earlier is not None:
        earlier.settle()


def _ended(directory: str) -> OpenRun | None:
    earlier = _runs.get(os.path.realpath(directory))
    return earlier if earlier is not None and not earlier.is_training() else None
