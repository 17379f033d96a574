"""One fit() under backup: what is taken of it, and how it is put back."""

from __future__ import annotations

import os
import time
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from rekindle._run import keras_internals, variables
from rekindle._run.history import HistoryRecord
from rekindle._store import Position, Save, Snapshot
from rekindle.errors import (
    InexactWarning,
    MismatchError,
    SaveError,
    SaveWarning,
)
from rekindle.manager import CheckpointManager


@dataclass(frozen=True)
class Settings:
    """The arguments of the callback, checked."""

    directory: str
    max_to_keep: int
    delete_checkpoint: bool
    restore_history: bool
    on_save_error: str
    verbose: int


# The run that last took each folder in this process, by the folder's real path.
_runs: weakref.WeakValueDictionary[str, Run] = weakref.WeakValueDictionary()


class Run:
    """One fit() of one model, from `on_train_begin` to its end, however it ends.

    Args:
        settings: The callback's arguments.
        model: The compiled model.
        is_training: Whether the fit() is still going on.
    """

    def __init__(self, settings: Settings, model: Any, is_training: Callable[[], bool]) -> None:
        self._settings = settings
        self._model = model
        self._is_training = is_training
        self._history = HistoryRecord()
        self._position = Position()
        self._warned: set[int | None] = set()
        self._manager = CheckpointManager(self, settings.directory, settings.max_to_keep)
        self.report: dict[str, Any] | None = None

    def begin(self) -> None:
        """Takes the folder and brings back what is in it.

        Raises:
            LockError: Another run holds the folder.
            DamageError, FormatError, ForeignFileError, RestoreError: The folder cannot be used.
            MismatchError: The save does not fit the model.
        """
        # An earlier fit() of this process that ended by an exception had no last hook to let go in.
        key = os.path.realpath(self._settings.directory)
        earlier = _runs.get(key)
        if earlier is not None and not earlier._is_training():
            earlier.close()
        try:
            self._manager.open()
            save = self._manager.restore()
        except BaseException:
            self._manager.close()
            raise
        _runs[key] = self
        if save is not None:
            self._announce(save)

    def put(self, save: Save) -> None:
        """Brings the state of a save back; see :class:`rekindle.manager.Checkpointable`."""
        model, manifest = self._model, save.manifest
        if not variables.build(model):
            raise MismatchError(
                f"There is a backup in {self._settings.directory!r}, and the model has no variables yet to"
                " restore it into. Build the model before fit(), by calling it on a batch of data or"
                " with an Input layer.",
                differences=["expected a built model, found one without variables"],
            )
        targets = variables.named(model)
        self._refuse_other_model(variables.differences(targets, manifest))
        directory = self._settings.directory
        history = HistoryRecord.from_state(manifest.state.get("history"), save.arrays, directory)
        position = manifest.position
        if position.epoch is None:
            raise MismatchError(
                f"The saves in {directory!r} are not of a fit(): they name no epoch.",
                differences=["expected an epoch to go on with, found none"],
            )
        variables.assign(targets, save.arrays)
        self._history = history
        if self._settings.restore_history:
            history.fill(model.history)
        keras_internals.set_initial_epoch(model, position.epoch)

    def _refuse_other_model(self, differences: list[str]) -> None:
        if not differences:
            return
        shown = differences[:20]
        more = (
            [f"... and {len(differences) - len(shown)} more"]
            if len(differences) > len(shown)
            else []
        )
        raise MismatchError(
            f"The backup in {self._settings.directory!r} is of another model. Nothing was changed.\n"
            + "".join(f"- {line}\n" for line in shown + more)
            + "Go on with the model that was saved, give this one a backup folder of its own, or rename or"
            " remove that folder to start afresh.",
            differences=differences,
        )

    def _announce(self, save: Save) -> None:
        manifest = save.manifest
        epoch, batch = manifest.position.epoch, manifest.position.batch or 0
        self.report = {
            "number": manifest.number,
            "epoch": epoch,
            "batch": batch,
            "step": manifest.position.step,
            "time": manifest.time,
        }
        age = max(0.0, time.time() - manifest.time)
        self._say(
            1,
            f"Resuming at epoch {epoch} (counted from 0) from save {manifest.number},"
            f" taken {_duration(age)} ago.",
        )
        if batch:
            warnings.warn(
                f"Save {manifest.number} in {self._settings.directory!r} was taken after {batch} batches of"
                f" epoch {epoch} (counted from 0). That epoch is run again from its start, so the model"
                " is trained on these batches twice.",
                InexactWarning,
                stacklevel=2,
            )

    def take(self) -> Snapshot:
        """The state as it is now; see :class:`rekindle.manager.Checkpointable`."""
        keras_internals.sync_variables(self._model)
        arrays = variables.values(variables.named(self._model))
        state = {
            "backend": keras.backend.backend(),
            "keras": keras.__version__,
            "history": self._history.take(arrays),
        }
        return Snapshot(arrays, state, self._position)

    def epoch_begins(self) -> None:
        # fit() has read it. Left there, the next fit() of this model would begin at this epoch,
        # too.
        keras_internals.set_initial_epoch(self._model, None)

    def epoch_ends(self, epoch: int, logs: Any) -> None:
        self._history.add(epoch, logs)

    def save(self, epoch: int, batch: int) -> None:
        """Saves the run as one that goes on with this batch of this epoch, both counted from 0."""
        self._position = Position(self._step(), epoch, batch)
        try:
            manifest = self._manager.save()
        except SaveError as error:
            self._save_failed(error)
            return
        self._say(2, f"Saved epoch {epoch}, batch {batch} as save {manifest.number}.")

    def _step(self) -> int | None:
        iterations = getattr(getattr(self._model, "optimizer", None), "iterations", None)
        if iterations is None:
            return None
        keras_internals.sync_variables(self._model)
        return int(keras.ops.convert_to_numpy(iterations))

    def _save_failed(self, error: SaveError) -> None:
        if self._settings.on_save_error == "raise":
            raise error
        if error.errno in self._warned:
            return
        self._warned.add(error.errno)
        warnings.warn(
            f"{error} Training goes on, and the next save is tried when it is due.",
            SaveWarning,
            stacklevel=2,
        )

    def end(self) -> None:
        """Training is complete."""
        if self._settings.delete_checkpoint:
            self._manager.clear()
        self.close()

    def close(self) -> None:
        """Leaves no trace on the model, and lets go of the folder. Safe to call again."""
        keras_internals.set_initial_epoch(self._model, None)
        self._manager.close()

    def _say(self, verbosity: int, text: str) -> None:
        if self._settings.verbose >= verbosity:
            print(f"rekindle: {text}", flush=True)


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds:.0f} seconds"
