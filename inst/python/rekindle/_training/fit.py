"""One fit() under backup, from its beginning to any kind of end."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import Any

from rekindle._base import events
from rekindle._format.manifest import Position
from rekindle._format.snapshot import LoadedCheckpoint
from rekindle._policy.schedule import Schedule
from rekindle._saving import open_runs
from rekindle._training import changes, checkpointers, stages, start
from rekindle._training.callbacks.states import CallbackStates
from rekindle._training.options import FitOptions
from rekindle._training.own_state import OwnStates
from rekindle._training.reporting import Reporter
from rekindle._training.saves import Saves
from rekindle._training.state import FitState
from rekindle._training.trainer import Replay, Trainer
from rekindle._training.witness.evidence import Evidence


class Fit:
    """One fit() of one model. Created at its beginning, after every other callback has begun.

    Creating it locks the folder and restores the checkpoint in it.

    Args:
        settings: The callback's arguments.
        trainer: The trainer of this fit().
        schedule: Gets reports of how long saving delays training, and when a checkpoint is written.

    Raises:
        LockError: Another run has locked the folder.
        DamageError, FormatError, ForeignFileError, RestoreError: rekindle cannot use the folder.
        MismatchError: The checkpoint does not fit.
    """

    def __init__(self, settings: FitOptions, trainer: Trainer, schedule: Schedule) -> None:
        self._settings = settings
        self._schedule = schedule
        self._trainer = trainer
        self._reporter = Reporter(settings.verbose, trainer.progress_bar)
        self._resuming: LoadedCheckpoint | None = None
        # How many batches of its first epoch a backup of the library's own callback has trained.
        self._imported = 0
        self._replay: Callable[[], Replay | None] = lambda: None
        self.report: dict[str, Any] | None = None
        self._state = FitState(
            directory=settings.directory,
            trainer=trainer,
            callbacks=CallbackStates(trainer.callbacks()),
            data=trainer.data,
            extra=settings.extra_state,
            allowed=settings.allowed,
            own=OwnStates(trainer.own_states(settings.extra_state)),
        )
        self._checkpointer, self._saves = checkpointers.of_fit(self._state, settings)
        self._evidence = Evidence(
            self._checkpointer.storage, trainer, self._state, self._reporter, settings.tolerance
        )
        self.ends = self._evidence.ends
        try:
            self._begin()
            self._rehearsal = trainer.rehearsal(settings.extra_state)
        except BaseException:
            self.close()
            raise

    @property
    def knows_fit(self) -> bool:
        """Whether the trainer's fit() was found; false in a custom training loop."""
        return self._trainer.knows_fit

    def is_training(self) -> bool:
        """Whether this fit() is still running."""
        return self._trainer.is_training()

    @property
    def is_skipped(self) -> bool:
        """Whether no epoch is left to run: the backup is of a later fit() of the script."""
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
        else:
            self._resume(save) if save is not None else self._import()
        if not self._state.is_done:
            self._evidence.begin(self.report, None if save is None else save.manifest)

    def _import(self) -> None:
        """Resumes from a backup of the library's own callback, if there is no other backup."""
        report = self._trainer.import_backup(self._settings)
        if report is not None:
            self._imported = report["batch"] if self._trainer.continues_imports else 0
            self._state.position = Position(report["step"], report["epoch"], self._imported)
            self.report = dict(report)

    def _skip(self) -> None:
        """Leaves the backup to a later fit() of the script: this fit() has no epoch left to run."""
        state, epochs = self._state, int(self._trainer.fit["epochs"])
        if self._settings.restore_history:
            state.history.fill(self._trainer.history, before=epochs)
        self._trainer.build_to_skip()
        self._trainer.start_at(epochs)
        text = stages.skipped(self._settings.directory, state.position, state.began, epochs)
        self._reporter.done(text)

    def _resume(self, save: LoadedCheckpoint) -> None:
        state = self._state
        if self._settings.restore_history:
            state.history.fill(self._trainer.history)
        epoch = start.find(state, self._trainer, save.manifest)
        self._trainer.start_at(epoch)
        state.before_epochs(save)
        self._resuming = save
        batches = None if state.data is None else state.data.batches
        self.report = self._reporter.resumed(save.manifest, batches)
        self._tell_notes()
        self._schedule.restored(save.manifest.state.get("schedule"))

    def _tell_notes(self) -> None:
        notes = self._state.notes
        if self.report is not None:
            self.report["exact"], self.report["notes"] = not notes, list(notes)
        is_meant = self._settings.allowed.is_meant
        self._reporter.inexact(note for note in notes if not is_meant(note))

    def epoch_begins(self, epoch: int, look: Callable[[], None]) -> int:
        """Begins an epoch, and returns how many of its batches are skipped.

        Called after every other callback's `on_epoch_begin`.

        Args:
            epoch: Counted from 0.
            look: Called after each skipped batch. It may raise an exception that ends training.
        """
        # fit() has read this value. The next fit() of this model must not begin here.
        self._trainer.start_at(None)
        self._schedule.epoch_began()
        save, self._resuming = self._resuming, None
        state = self._state
        if save is not None and epoch != state.position.epoch:
            state.notes.append(
                f"fit() began at epoch {epoch} (counted from 0), not at {state.position.epoch},"
                " where the checkpoint was saved"
            )
            self._evidence.changed()
            self._evidence.epoch_begins(epoch)
            self._tell_notes()
            return 0
        state.begin_epoch(save)
        self._evidence.epoch_begins(epoch)
        if save is not None:
            self._tell_notes()
        imported, self._imported = self._imported, 0
        if save is None and imported:
            return self._skip_batches(imported, {}, lambda: None, look)
        if save is None or not state.position.batch:
            return 0
        logs = state.logs_of(save)
        return self._skip_batches(state.position.batch, logs, lambda: self._replayed(save), look)

    def _skip_batches(
        self,
        batches: int,
        logs: dict[str, Any],
        done: Callable[[], None],
        look: Callable[[], None],
    ) -> int:
        replay = self._trainer.replay(batches, logs, self._reporter.reads_again, done, look)
        self._evidence.replays()
        # A weak reference: the replay lives as long as the hooks that it has replaced.
        self._replay = weakref.ref(replay)
        replay.start()
        return batches

    def _replayed(self, save: LoadedCheckpoint) -> None:
        self._evidence.replayed()
        self._schedule.epoch_began()
        self._state.put_after_replay(save)
        if not self._state.data_is_the_same(save):
            self._state.notes.append(
                f"{changes.OTHER_BATCHES}, so training continues after the same number of batches"
                " of the epoch, but not after the same batches"
            )
        self._tell_notes()

    def epoch_ends(self, epoch: int, logs: Any) -> None:
        """Ends an epoch. Called after every other callback's `on_epoch_end`."""
        self._state.history.add(epoch, logs)
        self._rehearsal.step_ended()

    def is_last(self, epoch: int) -> bool:
        """Whether training ends with this epoch."""
        epochs = self._trainer.fit.get("epochs")
        return bool(self._trainer.stop_training) or (epochs is not None and epoch + 1 >= epochs)

    def save(self, epoch: int, batch: int, logs: Any) -> None:
        """Saves the run. It would resume with this batch of this epoch, both counted from 0."""
        if not (batch == 0 and self.is_last(epoch - 1)) and self._saves.postpones():
            return
        began = time.perf_counter()
        self._stands_at(epoch, batch, logs)
        self._saves.save(epoch, batch, self._state.logs)
        self._schedule.saved(time.perf_counter() - began)
        self._evidence.saved()
        self._tell_schedule()
        self._reporter.lost(self._state.lost)
        self._tell_rehearsal()

    def _tell_rehearsal(self) -> None:
        """Reports the parts of this checkpoint that a resumed run could not restore."""
        self._reporter.not_restorable(self._rehearsal.unknown())
        self._reporter.not_saved(self._rehearsal.other_optimizers())
        data = self._state.data
        self._reporter.not_repeated(self._trainer.inexact() + (data.doubts if data else []))

    def _stands_at(self, epoch: int, batch: int, logs: Any) -> None:
        """Notes the position of the next snapshot."""
        state = self._state
        state.position = Position(self._trainer.step(), epoch, batch)
        state.logs = logs or {}
        state.schedule = self._schedule.as_state()
        state.evidence = self._evidence.as_state()
        state.attempts = self._evidence.attempts((epoch, batch), self._saves.seconds_held)

    def settle(self) -> None:
        """Waits for a checkpoint that is still being written. If it fails, this warns."""
        self._saves.settle()

    def save_last(self, epoch: int, batch: int, logs: Any, seconds_left: float) -> bool:
        """Saves before the process ends. Returns whether exactly this position is saved."""
        self._stands_at(epoch, batch, logs)
        saved = self._saves.save_last(epoch, batch, self._state.logs, seconds_left)
        # Training may continue. The next checkpoint must not be due at once.
        self._schedule.saved_out_of_turn()
        self._tell_rehearsal()
        self._tell_schedule()
        return saved

    def validation_begins(self, epoch: int, batch: int, logs: Any) -> None:
        """The epoch's batches are trained: captures what its validation changes."""
        self._stands_at(epoch, batch, logs)
        self._state.validation_begins()

    def validation_ends(self) -> None:
        """The state is the live state again."""
        self._state.validation_ends()

    @property
    def saves(self) -> Saves:
        """The checkpoints of this fit()."""
        return self._saves

    def look(self) -> None:
        """Handles a checkpoint that became durable, or failed, while training continued."""
        self._saves.look()
        self._tell_schedule()

    def _tell_schedule(self) -> None:
        """Reports the last checkpoint to the schedule, and the schedule's choice to the user."""
        self._schedule.writing(self._saves.is_writing, self._saves.has_failed)
        if (plan := self._schedule.news()) is not None:
            self._reporter.say(1, plan.in_words(), "interval", **plan.as_state())

    def end(self) -> None:
        """Ends a complete training, after the last checkpoint is written."""
        self.ends("complete")
        self._state.call.ended()
        if self._settings.delete_checkpoint and not self._state.is_done:
            self._trainer.settle_import(self._settings.directory)
            # Before its file goes: Windows removes no open file.
            self._evidence.close()
            self._checkpointer.clear()

    def close(self) -> None:
        """Undoes every change to the model, and unlocks the folder. May be called again."""
        if (replay := self._replay()) is not None:
            replay.stop()
        self._trainer.start_at(None)
        if self._state.data is not None:
            self._state.data.stop_watching()
        self._evidence.close()
        self._trainer.close()
        self._saves.close()
