"""One fit() under backup, from its beginning to its end, however it ends."""

from __future__ import annotations

import time
import warnings
import weakref
from collections.abc import Callable
from typing import Any

from rekindle._base import events
from rekindle._format import layout
from rekindle._format.manifest import Position
from rekindle._format.snapshot import Save
from rekindle._frameworks import keras as keras_objects
from rekindle._frameworks import table as frameworks
from rekindle._keras import internals, keras_files, keras_import, variables
from rekindle._keras.rehearsal import Rehearsal
from rekindle._keras.replay import Replay
from rekindle._policy.retention import Rules
from rekindle._policy.schedule import Schedule
from rekindle._saving import open_runs
from rekindle._saving.checkpointer import Checkpointer
from rekindle._training import stages
from rekindle._training.callbacks import CallbackStates
from rekindle._training.data_cursor import DataPlace
from rekindle._training.options import Settings
from rekindle._training.reporting import Telling
from rekindle._training.saves import Saving
from rekindle._training.state import RunState
from rekindle.errors import SaveError, SaveWarning


class Run:
    """One fit() of one model. Made at its beginning, after every other callback has begun.

    Making it takes the folder and brings back what is in it.

    Args:
        settings: The callback's arguments.
        model: The compiled model.
        callbacks: The other callbacks of the fit().
        callback_list: A weak reference to their CallbackList; it gives ``None`` when there is none.
        is_training: Whether the fit() is still going on.
        schedule: Is told how long saves hold training up, and when they are done.

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
        schedule: Schedule,
    ) -> None:
        self._settings = settings
        self._schedule = schedule
        self._model = model
        self._callback_list = callback_list
        self.is_training = is_training
        self._telling = Telling(settings.verbose)
        self._resuming: Save | None = None
        self._replay: Callable[[], Replay | None] = lambda: None
        self.report: dict[str, Any] | None = None
        fit = internals.find_fit()
        self.knows_fit = bool(fit)
        iterator = fit.get("epoch_iterator")
        self._state = RunState(
            directory=settings.directory,
            model=model,
            fit=fit,
            callbacks=CallbackStates(callbacks),
            data=DataPlace(iterator) if internals.can_place(iterator) else None,
            extra=settings.extra_state,
            refuses=settings.on_mismatch == "error",
        )
        best = settings.keep_best
        self._checkpointer = Checkpointer(
            self._state,
            settings.directory,
            layout.PREFIX,
            Rules(settings.max_to_keep, settings.keep_checkpoint_every_n_hours, best),
            settings.background,
        )
        self._saving = Saving(
            self._checkpointer,
            settings.on_save_error,
            settings.verbose,
            best.metric if best else None,
        )
        try:
            self._begin()
            self._rehearsal = Rehearsal(model, settings.extra_state)
        except BaseException:
            self.close()
            raise

    @property
    def is_skipped(self) -> bool:
        """Whether no epoch is left to run: a later fit() of the script has the folder."""
        return self._state.is_done

    def _begin(self) -> None:
        open_runs.let_go(self._settings.directory)
        self._checkpointer.open()
        open_runs.add(self._settings.directory, self)
        if self.knows_fit:
            events.hint("fit_began")
        save = self._checkpointer.restore()
        if self._state.is_done:
            self._skip()
        elif save is not None:
            self._resume(save)
        else:
            self.report = keras_import.begin(self._settings, self._model, self._state)

    def _skip(self) -> None:
        """A later fit() of the script has the folder: no epoch is left to run in this one."""
        state, epochs = self._state, int(self._state.fit["epochs"])
        if self._settings.restore_history:
            state.history.fill(self._model.history, before=epochs)
        if getattr(getattr(self._model, "optimizer", None), "use_ema", False):
            # Even with no epoch to run, Keras asks it for the averages.
            variables.build(self._model, state.fit.get("epoch_iterator"))
        internals.set_initial_epoch(self._model, epochs)
        text = stages.skipped(self._settings.directory, state.position, state.began, epochs)
        self._telling.done(text)

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
            began = stages.began(save.manifest)
            epoch, self._model.stop_training = stages.after_stop(epoch or 0, began, state.fit)
            state.position = Position(position.step, epoch, 0)
        internals.set_initial_epoch(self._model, epoch)
        self._resuming = save
        batches = None if state.data is None else state.data.batches
        self.report = self._telling.resumed(save.manifest, batches)
        self._tell_notes()
        self._schedule.restored(save.manifest.state.get("schedule"))

    def _tell_notes(self) -> None:
        notes = self._state.notes
        if self.report is not None:
            self.report["exact"], self.report["notes"] = not notes, list(notes)
        self._telling.inexact(notes)

    def epoch_begins(self, epoch: int, look: Callable[[], None]) -> int:
        """After every other callback's `on_epoch_begin`: how many batches of it are skipped.

        Args:
            epoch: Counted from 0.
            look: Called after each batch that is skipped; may raise what ends training.
        """
        # fit() has read it. Left there, the next fit() of this model would begin here, too.
        internals.set_initial_epoch(self._model, None)
        self._schedule.epoch_began()
        save, self._resuming = self._resuming, None
        state = self._state
        if save is not None and epoch != state.position.epoch:
            state.notes.append(
                f"this Keras began at epoch {epoch} (counted from 0), not at"
                f" {state.position.epoch}, where the save was taken"
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
            self.is_training,
            state.position.batch,
            state.logs_of(save),
            self._telling.reads_again,
            lambda: self._replayed(save),
            look,
        )
        # Weak: it lives for as long as the hooks it has taken over.
        self._replay = weakref.ref(replay)
        replay.start()
        return state.position.batch

    def _replayed(self, save: Save) -> None:
        self._schedule.epoch_began()
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
        self._rehearsal.step_ended()

    def is_last(self, epoch: int) -> bool:
        """Whether training ends with this epoch."""
        epochs = self._state.fit.get("epochs")
        return bool(self._model.stop_training) or (epochs is not None and epoch + 1 >= epochs)

    def save(self, epoch: int, batch: int, logs: Any) -> None:
        """Saves the run as one that goes on with this batch of this epoch, counted from 0."""
        began = time.perf_counter()
        self._stands_at(epoch, batch, logs)
        self._saving.save(epoch, batch, self._state.logs)
        self._schedule.saved(time.perf_counter() - began)
        self._tell_schedule()
        self._telling.lost(self._state.lost)
        self._tell_rehearsal()

    def _tell_rehearsal(self) -> None:
        """What of this save a resumed run could not have."""
        self._telling.not_restorable(self._rehearsal.unknown())
        self._telling.not_saved(self._rehearsal.other_optimizers())

    def _stands_at(self, epoch: int, batch: int, logs: Any) -> None:
        """Notes the place that the next look at the state is of."""
        state = self._state
        state.position = Position(self._step(), epoch, batch)
        state.logs = logs or {}
        state.schedule = self._schedule.as_state()

    def _step(self) -> int | None:
        iterations = getattr(getattr(self._model, "optimizer", None), "iterations", None)
        if iterations is None:
            return None
        keras_objects.sync_variables(self._model)
        return int(frameworks.to_numpy(iterations))

    def settle(self) -> None:
        """Waits for a save that is still being written; its failure is a warning."""
        try:
            self._saving.look(wait=True)
        except SaveError as error:
            warnings.warn(str(error), SaveWarning, stacklevel=4)

    def save_last(self, epoch: int, batch: int, logs: Any, seconds_left: float) -> bool:
        """Saves before the process is ended: whether it could be done for this very place."""
        self._stands_at(epoch, batch, logs)
        saved = self._saving.save_last(epoch, batch, self._state.logs, seconds_left)
        # Training may go on, and the next save is not due at once.
        self._schedule.saved_out_of_turn()
        self._tell_rehearsal()
        self._tell_schedule()
        return saved

    def validation_begins(self, epoch: int, batch: int, logs: Any) -> None:
        """The batches of the epoch are trained; what its validation changes is put aside."""
        self._stands_at(epoch, batch, logs)
        self._state.validation_begins()

    def validation_ends(self) -> None:
        """The state is the live one again."""
        self._state.validation_ends()

    @property
    def saving(self) -> Saving:
        """Its saves."""
        return self._saving

    def look(self) -> None:
        """Deals with a save that became durable, or failed, behind the training."""
        self._saving.look()
        self._tell_schedule()

    def _tell_schedule(self) -> None:
        """What it needs to know of the last save; and what it has chosen, to the user."""
        self._schedule.writing(self._saving.is_writing, self._saving.has_failed)
        plan = self._schedule.news()
        if plan is not None:
            self._telling.say(1, plan.in_words(), "interval", **plan.as_state())

    def end(self) -> None:
        """Training is complete, and the last save is waited for."""
        if self._settings.delete_checkpoint and not self._state.is_done:
            keras_files.settle(self._settings.directory)
            self._checkpointer.clear()

    def close(self) -> None:
        """Leaves no trace on the model, and lets go of the folder. Safe to call again."""
        replay = self._replay()
        if replay is not None:
            replay.stop()
        internals.set_initial_epoch(self._model, None)
        if self._state.data is not None:
            self._state.data.stop_watching()
        self._saving.close()
