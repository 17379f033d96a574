"""What the users' callbacks of all libraries have in common: options, reports, and when to save."""

from __future__ import annotations

from typing import Any

from rekindle._policy import schedule
from rekindle._policy.intervals import Auto
from rekindle._training.callbacks.csv_logs import CsvLogs
from rekindle._training.options import FitOptions
from rekindle._training.tail import Tail


class BackupHooks:
    """The hooks of a callback that a user gives to fit(). A tail callback does the work.

    A front end derives its class from this class and from its library's class of callbacks.
    """

    def _set_up(self, options: FitOptions) -> None:
        """Takes the checked options. To be called at the end of the constructor."""
        self.backup_dir = options.directory
        self.save_freq = options.save_freq
        self.double_checkpoint = options.double_checkpoint
        self.delete_checkpoint = options.delete_checkpoint
        self._settings = options
        self._schedule = self._new_schedule()
        self._due = False
        # For the tail callback.
        self._csv_logs = CsvLogs(())
        self._current_epoch = 0
        self._tail: Tail | None = None
        # Set this hook only on an instance that needs it. If the class had the hook, JAX would lose
        # its asynchronous dispatch.
        if self._schedule.by_batch:
            self.on_train_batch_end = self._train_batch_ended

    def _refuse(self) -> None:
        """Refuses a fit() in which this callback cannot work. Nothing has happened in it yet."""
        raise NotImplementedError

    def _new_tail(self) -> Tail:
        """The tail callback of the fit() that begins."""
        raise NotImplementedError

    def _new_schedule(self) -> schedule.Schedule:
        """A new schedule for each fit(): a schedule remembers what its fit() has done."""
        return schedule.schedule(self.save_freq)

    @property
    def resume_report(self) -> dict[str, Any] | None:
        return self._tail.report if self._tail is not None else None

    @property
    def save_report(self) -> dict[str, Any] | None:
        return self._tail.save_report if self._tail is not None else None

    def __repr__(self) -> str:
        """The folder, when checkpoints are due, and what happened. Epochs count what is done."""
        text = f"BackupAndRestore({self.backup_dir!r}, save_freq={self.save_freq!r})"
        resumed, saved = self.resume_report, self.save_report
        if resumed is not None:
            text += f", resumed after epoch {resumed['epoch']}, batch {resumed['batch']}"
        if saved is not None:
            text += f", {saved['saves']} checkpoint{'' if saved['saves'] == 1 else 's'} written"
        return f"<{text}>"

    @property
    def _looks_at_batches(self) -> bool:
        """Whether a checkpoint may be due at the end of a batch. For the tail callback."""
        return self._schedule.by_batch

    @property
    def _goes_by_clock(self) -> bool:
        """Whether a clock decides when a checkpoint is due. For the tail callback."""
        return self._schedule.by_clock

    @property
    def _saves_the_end(self) -> bool:
        """Whether the end of the last epoch is saved in any case. For the tail callback.

        If checkpoints are due at batch ends, the end of training falls between two of them. A
        backup that stays would then not look complete to the next run. "auto" saves only what its
        bound allows.
        """
        stays = self._looks_at_batches and not self.delete_checkpoint
        is_auto = self.save_freq == "auto" or isinstance(self.save_freq, Auto)
        return stays and not is_auto

    @property
    def _last_batch_seen(self) -> int:
        return self._schedule.last_batch

    def on_train_begin(self, logs: Any = None) -> None:
        try:
            self._refuse()
        except BaseException:
            self._csv_logs.put_back()
            raise
        self._schedule = self._new_schedule()
        self._due = False
        self._tail = self._new_tail()
        self._tell("on_train_begin", logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._current_epoch = epoch
        self._tell("on_epoch_begin", epoch, logs)

    def _train_batch_ended(self, batch: int, logs: Any = None) -> None:
        self._due = self._schedule.batch_ended(batch)
        self._tell("on_train_batch_end", batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._current_epoch = epoch + 1
        self._due = self._schedule.epoch_ended()
        self._tell("on_epoch_end", epoch, logs)

    def on_train_end(self, logs: Any = None) -> None:
        self._tell("on_train_end", logs)

    def _take_due(self) -> bool:
        """Whether a checkpoint is due; this call clears it. For the tail callback."""
        due, self._due = self._due, False
        return due

    def _resumed_after(self, batches: int) -> None:
        """The tail callback reports that the epoch continues after so many batches."""
        self._schedule.resumed_after(batches)

    def _tell(self, hook: str, *args: Any) -> None:
        # A custom training loop calls these hooks without a CallbackList. Then only this method
        # calls the tail callback.
        if self._tail is not None and not self._tail.is_listed:
            getattr(self._tail, hook)(*args)
