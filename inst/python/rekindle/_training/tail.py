"""The last callback of the list, which sees the effects of all others.

An adapter of a library derives its own class from the one here and from the library's class of
callbacks.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Collection
from types import CodeType
from typing import Any, Protocol

from rekindle._base import events
from rekindle._policy.schedule import Schedule
from rekindle._storage.resolve import resolve
from rekindle._training import alone, imports
from rekindle._training.callbacks.csv_logs import CsvLogs
from rekindle._training.fit import Fit
from rekindle._training.options import FitOptions
from rekindle._training.preemption import PreemptionHandler
from rekindle._training.team import Agreement, Team
from rekindle._training.trainer import Trainer


class Owner(Protocol):
    """The parts of the user's callback that the tail callback uses.

    Attributes:
        _looks_at_batches: Whether checkpoints may be due at the end of a batch.
        _saves_the_end: Whether the end of the last epoch is saved in any case.
        _goes_by_clock: Whether a clock decides when a checkpoint is due.
        _schedule: Decides when checkpoints are due.
        _csv_logs: The logs that must stay as they were if the fit() does not begin.
    """

    _looks_at_batches: bool
    _saves_the_end: bool
    _goes_by_clock: bool
    _schedule: Schedule
    _csv_logs: CsvLogs

    def _take_due(self) -> bool:
        """Whether a checkpoint is due; this call clears it."""

    def _resumed_after(self, batches: int) -> None:
        """The epoch continues after so many batches."""


class Tail:
    """Does the work of a backup callback, from the end of the list of callbacks.

    There, every other callback has already run in each hook. At the start of training, all others
    have reset themselves, so restored state stays. At the end of a batch or an epoch, all others
    have updated their state, so the snapshot includes these updates.

    Attributes:
        HISTORY: The library's class of the callback that keeps the history.
        FOREIGN_NAMES: Names of files in a folder that the library's own callback backs up into.
        model: The model, as the library's class of callbacks gives it.
    """

    HISTORY: type
    FOREIGN_NAMES: Collection[str]
    model: Any

    def __init__(self, settings: FitOptions, owner: Owner, model: Any) -> None:
        super().__init__()
        self._settings = settings
        self._owner = owner
        self._epoch = 0
        # The thread of the fit().
        self._thread = 0
        self._fit: Fit | None = None
        self._trainer_of_fit: Trainer | None = None
        self._preemption: PreemptionHandler | None = None
        self._agreement: Agreement | None = None
        self.report: dict[str, Any] | None = None
        self._save_report: dict[str, Any] | None = None
        self._has_begun = False
        found, self._fit_code = self._find_list()
        self.is_listed = found is not None
        # Only on an instance that needs the hooks, as in the callback itself.
        self._watch_batches(False)
        self._list: Callable[[], Any] = weakref.ref(found) if found is not None else lambda: None
        self.set_model(model)  # type: ignore[attr-defined]  # Of the library's class.
        if found is not None:
            self._join(found)

    def _find_list(self) -> tuple[Any, CodeType | None]:
        """The list that calls the current hook, and the code of the fit() that calls the list."""
        raise NotImplementedError

    def _trainer(self, callbacks: list[Any], listed: Callable[[], Any], code: Any) -> Trainer:
        """The trainer of this fit()."""
        raise NotImplementedError

    def _batches_done(self, batch: int) -> int:
        """How many batches of the epoch are done when hooks get the number `batch`."""
        raise NotImplementedError

    def _plain_logs(self, logs: Any) -> Any:
        """The logs that a hook was given, without values that only the library can read."""
        return logs

    def _watch_batches(self, always: bool) -> None:
        # This only sets attributes, because a signal handler calls it, too.
        for name, hook in (
            ("on_train_batch_end", self._batch_ended),
            ("on_test_batch_end", self._test_batch_ended),
        ):
            if always or (name == "on_train_batch_end" and self._owner._looks_at_batches):
                self.__dict__[name] = hook
            else:
                self.__dict__.pop(name, None)

    def _join(self, found: Any) -> None:
        # A list that the user made may hold the tail callback of a fit() that an exception ended.
        found.callbacks[:] = [cb for cb in found.callbacks if not self._replaces(cb, found)]
        found.callbacks.append(self)
        # fit() has no hook for its own failure. But its list dies with it: close the run then.
        finalizer = weakref.finalize(found, self.close)
        finalizer.atexit = False

    def _replaces(self, callback: Any, found: Any) -> bool:
        if not isinstance(callback, Tail):
            return False
        # A tail callback that has not begun belongs to this fit(): its owner is in a callback that
        # passes hooks on.
        is_left = callback._has_begun and callback._owner not in found.callbacks
        return callback._owner is self._owner or is_left

    @property
    def save_report(self) -> dict[str, Any] | None:
        """How many checkpoints became durable, and how long they delayed training."""
        return self._save_report if self._fit is None else self._fit.saves.report

    def close(self) -> None:
        """Ends the run at its current position. Safe to call again."""
        # Release the reference, because it holds the data of the fit().
        fit, self._fit, self._trainer_of_fit = self._fit, None, None
        if self._preemption is not None:
            self._preemption.close()
        if fit is not None:
            fit.close()
            self._save_report = fit.saves.report

    def on_train_begin(self, logs: Any = None) -> None:
        try:
            self._begin()
        except BaseException:
            self._owner._csv_logs.put_back()
            raise
        if self._fit is not None and self._fit.is_skipped:
            self._owner._csv_logs.put_back()
        else:
            self._owner._csv_logs.forget()

    def _begin(self) -> None:
        listed, code = self._list, self._fit_code
        self._has_begun = True
        self._thread = threading.get_ident()
        found = listed()
        left_out = (Tail, type(self._owner), self.HISTORY)
        others = [] if found is None else found.callbacks
        # A second owner may not be in the list itself, but in a callback that passes its hooks on.
        backups = [one._owner for one in others if isinstance(one, Tail)]
        if len(backups) > 1:
            alone.refuse(backups)

        # Before anything in the folder is read.
        settings = self._settings
        storage = resolve(settings.directory, options=settings.storage_options)
        storage.refuse_others(also=self.FOREIGN_NAMES)
        callbacks = [callback for callback in others if not isinstance(callback, left_out)]
        trainer = self._trainer(callbacks, listed, code)
        self._fit = Fit(self._settings, trainer, self._owner._schedule)
        self._trainer_of_fit = trainer
        self.report = self._fit.report
        if storage.is_remote and self.report is None:
            imports.warn_of_remote(storage, self.FOREIGN_NAMES)
        asked = self._settings.preemption
        if asked is not None and found is not None:
            verbose = self._settings.verbose
            self._preemption = PreemptionHandler(
                asked, self._fit, trainer, self._watch_batches, verbose
            )
        if trainer.team is not None:
            self._agree_in(trainer, trainer.team)

    def _agree_in(self, trainer: Trainer, team: Team) -> None:
        """From now on, all workers decide alike. It costs a message at each hook of a batch."""
        if self._preemption is not None:
            # The signal may come to another worker. Its handler calls nothing in this process.
            self._watch_batches(True)
            trainer.answer_here()
        if self._preemption is not None or self._owner._goes_by_clock:
            self._agreement = Agreement(team)

    def _agreed(self, is_due: bool = False) -> bool:
        """Whether a checkpoint is due: with several workers, in all of them or in none."""
        if self._agreement is None:
            return is_due
        preemption = self._preemption
        received = None if preemption is None else preemption.received
        is_due, told = self._agreement.on(is_due, received)
        if told is not None and preemption is not None:
            preemption.told(*told)
        return is_due

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch
        if self._fit is not None:
            self._fit.look()
            skipped = self._fit.epoch_begins(epoch, self._look_for_the_end)
            if skipped:
                self._owner._resumed_after(skipped)

    def _look_for_the_end(self) -> None:
        self._agreed()
        if self._preemption is not None:
            self._preemption.while_reading()

    def _batch_ended(self, batch: int, logs: Any = None) -> None:
        if self._fit is None or self._is_behind():
            return
        self._fit.look()
        is_due = self._agreed(self._owner._take_due() or self._fit.saves.is_overdue)
        if self._preemption is not None and self._preemption.is_asked_for:
            done = self._batches_done(batch)
            self._preemption.at_batch_end(self._epoch, done, self._plain_logs(logs))
        elif is_due:
            done = self._batches_done(batch)
            self._fit.save(self._epoch, done, self._plain_logs(logs))

    def _is_behind(self) -> bool:
        """Whether this is a hook of an earlier batch, which still runs beside the training thread.

        This happens on JAX if no callback had batch hooks until a signal made Keras call ours.
        """
        return not self._owner._looks_at_batches and threading.get_ident() != self._thread

    def on_test_begin(self, logs: Any = None) -> None:
        if self._fit is not None and self._preemption is not None:
            self._preemption.validation_begins(self._epoch)
        # After the snapshot that is taken there: a run that resumes from it validates again.
        if self._trainer_of_fit is not None:
            self._trainer_of_fit.validation_begins()

    def _test_batch_ended(self, batch: int, logs: Any = None) -> None:
        self._agreed()
        if self._preemption is not None and self._preemption.is_asked_for:
            self._preemption.at_validation_step()

    def on_test_end(self, logs: Any = None) -> None:
        if self._fit is not None and self._preemption is not None:
            self._preemption.validation_ends()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._fit is None:
            return
        self._fit.look()
        logs = self._plain_logs(logs)
        self._fit.epoch_ends(epoch, logs)
        is_due = self._owner._take_due() or self._must_show_the_end(epoch)
        is_due = self._agreed(is_due or self._fit.saves.is_overdue)
        if self._preemption is not None and self._preemption.is_asked_for:
            self._preemption.at_epoch_end(epoch + 1, logs)
        elif is_due:
            self._fit.save(epoch + 1, 0, logs)

    def _must_show_the_end(self, epoch: int) -> bool:
        """Whether this is the last epoch of a run whose end is saved in any case."""
        return self._owner._saves_the_end and self._fit is not None and self._fit.is_last(epoch)

    def on_train_end(self, logs: Any = None) -> None:
        found = self._list()
        if found is not None:
            # A new list: Keras iterates over the current list, and would skip the next callback.
            found.callbacks = [callback for callback in found.callbacks if callback is not self]
        if self._fit is not None:
            self._fit.saves.look(wait=True)
            # Before rekindle removes anything: a signal that came too late to be answered may end
            # the process here. Then only the backup holds the trained state.
            if self._preemption is not None:
                self._preemption.close()
            self._fit.end()
        self.close()
        events.hint("exit_code", code=None)
