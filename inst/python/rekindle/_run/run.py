"""One fit() under backup, from its beginning to its end, however it ends."""

from __future__ import annotations

import os
import sys
import time
import warnings
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from rekindle._run import keras_internals
from rekindle._run.callbacks import CallbackStates
from rekindle._run.data import DataPlace
from rekindle._run.replay import Replay
from rekindle._run.state import RunState
from rekindle._store import Position, Save
from rekindle.errors import InexactWarning, SaveError, SaveWarning
from rekindle.manager import CheckpointManager


@dataclass(frozen=True)
class Settings:
    """The arguments of the callback, checked."""

    directory: str
    max_to_keep: int
    delete_checkpoint: bool
    restore_history: bool
    on_mismatch: str
    on_save_error: str
    verbose: int
    extra_state: Mapping[str, Any] = field(default_factory=dict)


# The run that last took each folder in this process, by the folder's real path.
_runs: weakref.WeakValueDictionary[str, Run] = weakref.WeakValueDictionary()


class Run:
    """One fit() of one model. Made at its beginning, after every other callback has begun.

    Making it takes the folder and brings back what is in it.

    Args:
        settings: The callback's arguments.
        model: The compiled model.
        callbacks: The other callbacks of the fit().
        callback_list: A weak reference to their CallbackList; it gives ``None`` when there is none.
        is_training: Whether the fit() is still going on.

    Raises:
        LockError: Another run holds the folder.
        DamageError, FormatError, ForeignFileError, RestoreError: The folder cannot be used.
        MismatchError: The save does not fit.
    """

    def __init__(
        self,
        settings: Settings,
        model: Any,
        callbacks: list[Any],
        callback_list: Callable[[], Any],
        is_training: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._model = model
        self._callback_list = callback_list
        self._is_training = is_training
        self._warned: set[Any] = set()
        self._resuming: Save | None = None
        self._replay: Callable[[], Replay | None] = lambda: None
        self.report: dict[str, Any] | None = None
        fit = keras_internals.find_fit()
        self._state = RunState(
            directory=settings.directory,
            model=model,
            fit=fit,
            callbacks=CallbackStates(callbacks),
            data=_data_place(fit),
            extra=settings.extra_state,
            refuses=settings.on_mismatch == "error",
        )
        self._manager = CheckpointManager(self._state, settings.directory, settings.max_to_keep)
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        # An earlier fit() of this process that ended by an exception had no last hook to let go in.
        key = os.path.realpath(self._settings.directory)
        earlier = _runs.get(key)
        if earlier is not None and not earlier._is_training():
            earlier.close()
        self._manager.open()
        _runs[key] = self
        save = self._manager.restore()
        if save is not None:
            self._resume(save)

    def _resume(self, save: Save) -> None:
        state, position = self._state, save.manifest.position
        if self._settings.restore_history:
            state.history.fill(self._model.history)
        if position.batch and (state.data is None or self._callback_list() is None):
            state.notes.append(
                f"the place in the data could not be found, so epoch {position.epoch} (counted from"
                f" 0) is run again from its start, and its first {position.batch} batches are"
                " trained on twice"
            )
            state.position = Position(position.step, position.epoch, 0)
        epoch = position.epoch
        if self._model.stop_training and not position.batch:
            # Stopped early, and killed before it could end: no epoch is left to run.
            epoch = max(epoch or 0, int(state.fit.get("epochs") or 0))
        keras_internals.set_initial_epoch(self._model, epoch)
        self._resuming = save
        self._announce(save)

    def _announce(self, save: Save) -> None:
        manifest = save.manifest
        position = manifest.position
        self.report = {
            "number": manifest.number,
            "epoch": position.epoch,
            "batch": position.batch or 0,
            "step": position.step,
            "time": manifest.time,
        }
        age = _duration(max(0.0, time.time() - manifest.time))
        place = f"epoch {position.epoch}" + (f", batch {position.batch}" if position.batch else "")
        self._say(
            1, f"Resuming at {place} (counted from 0) from save {manifest.number}, taken {age} ago."
        )
        self._tell_notes()

    def _tell_notes(self) -> None:
        notes = self._state.notes
        if self.report is not None:
            self.report["exact"], self.report["notes"] = not notes, list(notes)
        for note in notes:
            self._warn_inexact(note)

    def epoch_begins(self, epoch: int) -> int:
        """After every other callback's `on_epoch_begin`: how many batches of it are skipped."""
        # fit() has read it. Left there, the next fit() of this model would begin here, too.
        keras_internals.set_initial_epoch(self._model, None)
        save, self._resuming = self._resuming, None
        state = self._state
        if save is not None and epoch != save.manifest.position.epoch:
            state.notes.append(
                f"this Keras began at epoch {epoch} (counted from 0), not at"
                f" {save.manifest.position.epoch}, where the save was taken"
            )
            self._tell_notes()
            return 0
        state.begin_epoch(save)
        if save is not None:
            self._tell_notes()
        if save is None or not state.position.batch:
            return 0
        replay = Replay(
            self._model,
            self._callback_list,
            self._is_training,
            state.position.batch,
            state.logs_of(save),
            lambda text: self._say(1, text),
            lambda: self._replayed(save),
        )
        # Weak: it lives for as long as the hooks it has taken over.
        self._replay = weakref.ref(replay)
        replay.start()
        return state.position.batch

    def _replayed(self, save: Save) -> None:
        self._state.put_after_replay(save)
        if not self._state.data_is_the_same(save):
            self._state.notes.append(
                "the data did not give the same batches again, so training goes on after as many"
                " batches of the epoch, but not after the same ones"
            )
        self._tell_notes()

    def epoch_ends(self, epoch: int, logs: Any) -> None:
        """After every other callback's `on_epoch_end`."""
        self._state.history.add(epoch, logs)

    def save(self, epoch: int, batch: int, logs: Any) -> None:
        """Saves the run as one that goes on with this batch of this epoch, counted from 0."""
        state = self._state
        state.position = Position(self._step(), epoch, batch)
        state.logs = logs or {}
        try:
            manifest = self._manager.save()
        except SaveError as error:
            self._save_failed(error)
        else:
            self._say(2, f"Saved epoch {epoch}, batch {batch} as save {manifest.number}.")
        for name in state.lost:
            self._warn_once(
                f"{name} is of a type that cannot be saved. A resumed run begins with it as the"
                " script makes it. Give its class the methods state_dict() and load_state_dict()"
                " to have it saved.",
                InexactWarning,
            )

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

    def close(self) -> None:
        """Leaves no trace on the model, and lets go of the folder. Safe to call again."""
        replay = self._replay()
        if replay is not None:
            replay.stop()
        keras_internals.set_initial_epoch(self._model, None)
        if self._state.data is not None:
            self._state.data.stop_watching()
        self._manager.close()

    def _warn_inexact(self, note: str) -> None:
        self._warn_once(
            f"The resumed run may differ from the interrupted one: {note}.", InexactWarning
        )

    def _warn_once(self, text: str, category: type[Warning]) -> None:
        if text not in self._warned:
            self._warned.add(text)
            warnings.warn(text, category, stacklevel=3)

    def _say(self, verbosity: int, text: str) -> None:
        if self._settings.verbose >= verbosity:
            sys.stdout.write(f"rekindle: {text}\n")
            sys.stdout.flush()


def _data_place(fit: Mapping[str, Any]) -> DataPlace | None:
    """The place in the data of a fit(); ``None`` when Keras' names for it are not there."""
    iterator = fit.get("epoch_iterator")
    if iterator is None or not keras_internals.can_place(iterator):
        return None
    return DataPlace(iterator)


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds:.0f} seconds"
