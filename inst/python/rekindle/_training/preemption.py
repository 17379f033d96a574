"""Answers a signal that announces the end: saves and ends training at the next hook."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rekindle._base import events
from rekindle._policy.preemption import Preemption
from rekindle._training.fit import Fit
from rekindle._training.signals import SignalListener
from rekindle._training.trainer import Trainer
from rekindle.errors import TrainingPreempted


class PreemptionHandler:
    """Answers signals for one fit().

    Args:
        asked: What the user asked for.
        run: The run.
        trainer: The trainer of this fit().
        watch_batches: Makes Keras call the tail callback at batch ends from now on. Sets attributes
            and does nothing else.
        verbose: From 1 up, the handler reports what it did.
    """

    def __init__(
        self,
        asked: Preemption,
        run: Fit,
        trainer: Trainer,
        watch_batches: Callable[[bool], None],
        verbose: int,
    ) -> None:
        self._asked = asked
        self._fit = run
        self._trainer = trainer
        self._watch_batches = watch_batches
        self._verbose = verbose
        self._in_validation: tuple[int, int, dict[str, Any]] | None = None
        # With several workers, the signal that all of them answer, and the worker that received it.
        self._in_team = trainer.team is not None
        self._told: tuple[str, int] | None = None
        self._signals = SignalListener(
            asked.names, self._notice, self._stop_now, trainer.is_training, asked.grace
        )
        # Before any signal comes: a second signal ends training from within a handler.
        events.hint("exit_code", code=asked.exit_code if asked.stops else None)
        self._signals.install()

    @property
    def is_asked_for(self) -> bool:
        """Whether a signal waits for an answer, and this thread is the one to answer it.

        A hook of an earlier batch may still run beside the training thread, as on JAX.
        """
        if self._in_team:
            return self._told is not None
        here = threading.current_thread() is threading.main_thread()
        return here and self._signals.received is not None

    @property
    def received(self) -> str | None:
        """The signal that this process received and has not answered."""
        return self._signals.received

    def told(self, received: str, worker: int) -> None:
        """All workers answer, at this hook, the signal that one of them received."""
        self._told = (received, worker)

    def close(self) -> None:
        """Stops listening. An unanswered signal does what it would do without rekindle."""
        self._signals.restore()

    def _notice(self) -> None:
        self._watch_batches(True)
        self._trainer.answer_here()

    def _stop_now(self) -> TrainingPreempted:
        code, known = self._asked.exit_code, self._fit.saves.known
        stands = (
            "no checkpoint is known to be complete"
            if known is None
            else f"{known!r} is the newest checkpoint"
        )
        return TrainingPreempted(
            f"Received a second signal: training stops at once, with exit code {code}, and"
            f" {stands}.",
            code=code,
            signal=self._signals.received or "",
            path=known,
            saved=False,
        )

    def while_reading(self) -> None:
        """Answers while batches are read again: saves nothing, and may raise to end training."""
        if self.is_asked_for and self._asked.stops:
            raise self._preempted(saved=True)

    def at_batch_end(self, epoch: int, done: int, logs: Any) -> None:
        """Answers after `done` batches of the epoch. May raise an exception that ends training."""
        # Hooks that still run may change the state that is about to be saved.
        self._trainer.wait_for_hooks()
        self._end(epoch, done, logs)

    def at_epoch_end(self, epoch: int, logs: Any) -> None:
        """Answers before `epoch` begins. May raise an exception that ends training."""
        self._end(epoch, 0, logs)

    def validation_begins(self, epoch: int) -> None:
        place = self._trainer.place_in_epoch()
        if place is not None:
            self._in_validation = (epoch, *place)
            self._fit.validation_begins(*self._in_validation)

    def at_validation_step(self) -> None:
        """Answers within a validation. May raise an exception that ends training."""
        if self._in_validation is not None:
            self._end(*self._in_validation)

    def validation_ends(self) -> None:
        self._in_validation = None
        self._fit.validation_ends()

    def _end(self, epoch: int, batch: int, logs: Any) -> None:
        since = time.monotonic() - self._signals.since if self.received else 0.0
        left = self._asked.grace - since
        saved = self._fit.save_last(epoch, batch, logs, left)
        if self._asked.stops:
            raise self._preempted(saved=saved)
        self._say(f"{self._outcome(saved)}. Training continues.")
        if not self._in_team:
            self._watch_batches(False)
            self._trainer.answer_as_before()
        self._told = None
        self._signals.answered()

    def _preempted(self, *, saved: bool) -> TrainingPreempted:
        code = self._asked.exit_code
        text = f"{self._outcome(saved)}. Training stops with exit code {code}."
        self._say(text)
        self._fit.ends("preempted")
        self._signals.ends()
        self._signals.release_children()
        return TrainingPreempted(
            text,
            code=code,
            signal=self._name,
            path=self._fit.saves.newest,
            saved=saved,
        )

    def _outcome(self, saved: bool) -> str:
        newest = self._fit.saves.newest
        if saved:
            return f"{self._news}: the run is saved as {newest!r}"
        stands = (
            "and there is no checkpoint"
            if newest is None
            else f"and {newest!r} is the newest checkpoint"
        )
        return f"{self._news}: the current position could not be saved, {stands}"

    @property
    def _name(self) -> str:
        """The signal that is answered."""
        return self._told[0] if self._told is not None else self.received or ""

    @property
    def _news(self) -> str:
        if self._told is None:
            return f"Received {self._name}"
        return f"Worker {self._told[1]} received {self._name}"

    def _say(self, text: str) -> None:
        if self._verbose >= 1:
            events.tell("preempted", text)
