"""The checkpoints of one fit(): requests them, follows their writing, and reports them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rekindle._base import events, places
from rekindle._frameworks import table as frameworks
from rekindle._saving import arguments
from rekindle._saving.checkpointer import Checkpointer
from rekindle.errors import (
    ForeignFileError,
    FormatError,
    LockError,
    RekindleWarning,
    SaveError,
    SaveWarning,
)

# A checkpoint that takes so many seconds is worth a word.
_LONG = 30.0


class Saves:
    """Saves a run, and handles the result as the user asked for.

    Args:
        checkpointer: Writes the checkpoints.
        on_save_error: "warn" or "raise".
        verbose: From 2 up, reports each checkpoint once it is durable.
        metric: The metric by which the best checkpoints are kept, or ``None``.
        agreed: Gives the answer of the process that writes, if several train together.

    Attributes:
        is_writing: Whether a checkpoint was begun whose result is not known yet.
        has_failed: Whether the last checkpoint has failed.
        seconds_held: How long checkpoints delayed training so far.
    """

    def __init__(
        self,
        checkpointer: Checkpointer,
        on_save_error: str,
        verbose: int,
        metric: str | None,
        agreed: Callable[[bool], bool] = bool,
    ) -> None:
        self._checkpointer = checkpointer
        self._raises = on_save_error == "raise"
        self._verbose = verbose
        self._metric = metric
        self._agreed = agreed
        self._warned: set[Any] = set()
        # Epoch and batch of the checkpoint that is being written.
        self._place = (0, 0)
        # When it was begun, and whether another has become due since.
        self._began = 0.0
        self._is_late = False
        self.seconds_held = 0.0
        self._count = 0
        self.is_writing = False
        self.has_failed = False

    @property
    def report(self) -> dict[str, Any]:
        """How many checkpoints became durable, and how long they delayed training, in seconds."""
        return {
            "saves": self._count,
            "seconds_held": self.seconds_held,
            "seconds_waited": self._checkpointer.waited,
        }

    def postpones(self) -> bool:
        """Whether a checkpoint that is due now has to wait for the one before, but training not.

        A network may take any time. The checkpoint is overdue from then on.
        """
        seconds = time.monotonic() - self._began
        if not (self._checkpointer.may_lag and self.is_writing):
            return False
        self._is_late = True
        if seconds >= _LONG and "late" not in self._warned:
            self._warned.add("late")
            warnings.warn(
                f"A checkpoint has been on its way to {self.directory!r} for {seconds:.0f} s."
                " Training does not wait for it: the next checkpoint is taken when this one has"
                " arrived.",
                SaveWarning,
                stacklevel=3,
            )
        return True

    @property
    def is_overdue(self) -> bool:
        """Whether a checkpoint was postponed, and can be taken now."""
        return self._is_late and not self.is_writing

    def save(self, epoch: int, batch: int, logs: Mapping[str, Any]) -> None:
        """Saves the run. It would resume with this batch of this epoch.

        Raises:
            SaveError: Saving failed, and the user asked for the error.
        """
        began = time.perf_counter()
        # One checkpoint at a time: first handle the result of the previous one.
        self.look(wait=True)
        self._place, self._is_late = (epoch, batch), False
        self._began = time.monotonic()
        metrics = _metrics(logs)
        self._look_for_metric(metrics)
        try:
            self._checkpointer.save(metadata=arguments.metadata(metrics))
        # Training must not end because the folder was removed, or another run began in it.
        except (SaveError, LockError, ForeignFileError, FormatError) as error:
            self._failed(error)
        else:
            self.is_writing, self.has_failed = True, False
            self.look()
        finally:
            self.seconds_held += time.perf_counter() - began

    def save_last(
        self, epoch: int, batch: int, logs: Mapping[str, Any], seconds_left: float
    ) -> bool:
        """Saves before the process ends, and waits. Returns whether exactly this position is saved.

        If the previous checkpoint is still being written, and another would take too long by the
        time that the last one took, rekindle relies on the previous one. This raises nothing: the
        process ends anyway.

        Args:
            epoch: As for :meth:`save`.
            batch: As for :meth:`save`.
            logs: As for :meth:`save`.
            seconds_left: Seconds until the process is killed.
        """
        raises, self._raises = self._raises, False
        try:
            has_time = self._checkpointer.took * (1 + self.is_writing) <= max(1.0, seconds_left)
            if self._agreed(has_time):
                self.save(epoch, batch, logs)
            self.look(wait=True)
        finally:
            self._raises = raises
        return self._agreed(self._place == (epoch, batch) and not self.has_failed)

    @property
    def newest(self) -> str | None:
        """Path of the checkpoint from which the run would resume, or ``None``."""
        self._checkpointer.notice()
        return self._path(self._checkpointer.newest)

    @property
    def known(self) -> str | None:
        """The same, as far as known without reading the folder: safe in a signal handler."""
        return self._path(self._checkpointer.latest)

    @property
    def directory(self) -> str:
        """The folder."""
        return self._checkpointer.directory

    def _path(self, name: str | None) -> str | None:
        return None if name is None else places.join(self.directory, name)

    def _look_for_metric(self, metrics: Mapping[str, Any]) -> None:
        metric, found = self._metric, ", ".join(map(repr, metrics)) or "none"
        if metric is not None and metric not in metrics and metric not in self._warned:
            self._warned.add(metric)
            warnings.warn(
                f"The logs at this save have no metric {metric!r}, which `retention` needs. They"
                f" have: {found}. The checkpoint is not kept as one of the best. Metrics of"
                " validation are in the logs at the end of an epoch only.",
                RekindleWarning,
                stacklevel=3,
            )

    def look(self, *, wait: bool = False) -> None:
        """Handles a checkpoint that became durable, or failed, since the last call.

        Args:
            wait: Whether to wait for a checkpoint that is still being written.

        Raises:
            SaveError: As :meth:`save`.
        """
        try:
            manifest = self._checkpointer.poll(wait=wait)
        except SaveError as error:
            self._failed(error)
            return
        if manifest is None:
            return
        self._count += 1
        self.is_writing = False
        epoch, batch = self._place
        if self._verbose >= 2:
            events.tell(
                "saved",
                f"Saved epoch {epoch}, batch {batch} as checkpoint {manifest.number}.",
                number=manifest.number,
                epoch=epoch,
                batch=batch,
            )

    def _failed(self, error: Exception) -> None:
        self.is_writing, self.has_failed = False, True
        if not isinstance(error, SaveError):
            directory = self.directory
            cause, error = error, SaveError(str(error), directory=directory, errno=None, needed=0)
            error.__cause__ = cause
        if self._raises:
            raise error
        if error.errno in self._warned:
            return
        self._warned.add(error.errno)
        warnings.warn(
            f"{error} Training continues, and rekindle tries the next save when it is due.",
            SaveWarning,
            stacklevel=3,
        )

    def settle(self) -> None:
        """Waits for a checkpoint that is still being written. If it fails, this warns."""
        try:
            self.look(wait=True)
        except SaveError as error:
            warnings.warn(str(error), SaveWarning, stacklevel=5)

    def close(self) -> None:
        """Waits for the last checkpoint, and unlocks the folder. A failure is a warning."""
        # fit() may be ending by its own error, which matters more.
        self._raises = False
        try:
            self.look(wait=True)
        finally:
            # If warnings are errors, the failure above raises.
            self._checkpointer.close()


def _metrics(logs: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers among the logs, to show them with the checkpoint."""
    found = {}
    for name, value in logs.items():
        is_array = isinstance(value, np.generic) or frameworks.framework(value) is not None
        if isinstance(value, int | float) or (is_array and tuple(value.shape) == ()):
            found[str(name)] = value
    return found
