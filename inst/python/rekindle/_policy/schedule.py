"""When to save: pure decisions on what the training loop reports."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from rekindle._base import durations
from rekindle._policy import intervals
from rekindle._policy.intervals import Auto, Costs, Measurements, Plan

# "auto" knows nothing of saves before the first: it is taken after so many batches, of which the
# first compiles, or after so many seconds where batches take long.
_FIRST_AFTER = (6, 60.0)


class Schedule:
    """Decides, at the end of each batch or epoch, whether a save is due: by itself, never.

    Attributes:
        by_batch: Whether it needs to be told of batches at all; being told has a price on JAX.
        last_batch: Zero-based index, in its epoch, of the last batch it was told of.
    """

    by_batch = False
    last_batch = 0

    def restored(self, state: Any) -> None:
        """A save was brought back, in which :meth:`as_state` is this."""

    def resumed_after(self, batches: int) -> None:
        """The epoch goes on after so many batches, of which the last was followed by a save."""
        self.last_batch = batches - 1

    def epoch_began(self) -> None:
        """Training is about to begin an epoch, or to go on with one."""

    def batch_ended(self, batch: int) -> bool:
        self.last_batch = batch
        return False

    def epoch_ended(self) -> bool:
        self.last_batch = 0
        return False

    def saved(self, held: float) -> None:
        """A save was taken, for whatever reason, and has held training up for so many seconds."""

    def saved_out_of_turn(self) -> None:
        """A save was taken and waited for, as no other is: it says nothing of what saves cost."""

    def writing(self, is_writing: bool, has_failed: bool) -> None:
        """How it is with the last save, at each batch end: being written, failed, or durable."""

    def news(self) -> Plan | None:
        """What it has chosen, once for each marked change."""
        return None

    def as_state(self) -> dict[str, Any]:
        """JSON values, to be saved with the run; empty where it chooses nothing by the clock."""
        return {}


class EachEpoch(Schedule):
    """A save at the end of every epoch."""

    def epoch_ended(self) -> bool:
        self.last_batch = 0
        return True


class EachBatches(Schedule):
    """A save whenever `count` batches or more ended since the last one, over epochs' borders.

    With ``steps_per_execution`` above 1, Keras reports only the last batch of each execution: the
    batches in between are counted with it, as Keras' own callback does.
    """

    by_batch = True

    def __init__(self, count: int) -> None:
        self.count = count
        self.last_batch = 0
        self._since_save = 0
        self._epoch_is_new = True

    def resumed_after(self, batches: int) -> None:
        self.last_batch = batches - 1
        self._epoch_is_new = False

    def batch_ended(self, batch: int) -> bool:
        self._since_save += batch + 1 if self._epoch_is_new else batch - self.last_batch
        self._epoch_is_new = False
        self.last_batch = batch
        if self._since_save < self.count:
            return False
        self._since_save = 0
        return True

    def epoch_ended(self) -> bool:
        self._epoch_is_new = True
        self.last_batch = 0
        return False


class _Clocked(Schedule):
    """What the schedules share that look at a clock.

    Args:
        clock: Gives seconds, from any beginning.
    """

    by_batch = True

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # When the last save was taken, or training began.
        self._since = clock()
        self._has_trained = False

    def epoch_began(self) -> None:
        # Restoring, and reading what a resumed epoch has had, is no training.
        if not self._has_trained:
            self._since = self._clock()

    def batch_ended(self, batch: int) -> bool:
        self._has_trained = True
        self.last_batch = batch
        return self._is_due(self._clock())

    def saved_out_of_turn(self) -> None:
        self._since = self._clock()

    def _is_due(self, now: float) -> bool:
        raise NotImplementedError


class EachSeconds(_Clocked):
    """A save at the first batch end after so many seconds since the last save, or the beginning."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._seconds = seconds

    def _is_due(self, now: float) -> bool:
        return now - self._since >= self._seconds

    def saved(self, held: float) -> None:
        # From its end: where saves take longer than the interval, training must still go on.
        self._since = self._clock()

    def as_state(self) -> dict[str, Any]:
        return {"save_freq": "time", "interval": self._seconds}


class EachInterval(_Clocked):
    """Measures what saves cost and what steps take, and keeps to the interval that follows.

    A step is from the end of a batch to that of the next, without what a save held up between
    them. The first one of an epoch is left out: it compiles, makes iterators, or has a validation
    in it.
    """

    def __init__(self, goal: Auto, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._goal = goal
        self._measured = Measurements()
        self._plan: Plan | None = None
        self._told: Plan | None = None
        self._batches = 0
        self._has_saved = False
        self._step_began: float | None = None
        self._is_writing = False

    def restored(self, state: Any) -> None:
        costs = _costs(state)
        if costs is not None:
            self._measured.recall(costs)
            self._choose()

    def epoch_began(self) -> None:
        super().epoch_began()
        self._step_began = None

    def _is_due(self, now: float) -> bool:
        self._batches += 1
        if self._step_began is not None:
            self._measured.stepped(now - self._step_began, disturbed=self._is_writing)
        self._step_began = now
        elapsed = now - self._since
        if self._is_writing:
            return False
        if self._plan is not None:
            return elapsed >= self._plan.interval
        batches, seconds = _FIRST_AFTER
        # One that failed is tried again as slowly as one that is waited for.
        return elapsed >= seconds or (self._batches >= batches and not self._has_saved)

    def saved(self, held: float) -> None:
        now = self._clock()
        if self._is_writing:
            # It waited for the one before.
            self._ended()
        self._since = now - held
        self._has_saved = True
        if self._step_began is not None:
            self._step_began += held
        self._measured.save_began(held)
        self._is_writing = True

    def saved_out_of_turn(self) -> None:
        super().saved_out_of_turn()
        # The batch that it came after ended before it.
        self._step_began = None

    def writing(self, is_writing: bool, has_failed: bool) -> None:
        if not self._is_writing or is_writing:
            return
        self._is_writing = False
        # What failed says nothing of what a save costs.
        if not has_failed:
            self._ended()

    def _ended(self) -> None:
        self._measured.save_ended()
        self._choose()

    def _choose(self) -> None:
        costs = self._measured.costs
        if costs is not None:
            self._plan = intervals.choose(costs, self._goal)

    def news(self) -> Plan | None:
        plan = self._plan
        if plan is None or not intervals.is_marked(plan, self._told):
            return None
        self._told = plan
        return plan

    def as_state(self) -> dict[str, Any]:
        chosen = {} if self._plan is None else self._plan.as_state()
        return {
            "save_freq": "auto",
            "max_overhead": self._goal.max_overhead,
            "mean_time_between_failures": self._goal.mtbf,
            **chosen,
        }


def _costs(state: Any) -> Costs | None:
    """The costs in what a schedule has saved; ``None`` where there are none, or no such numbers."""
    if not isinstance(state, dict) or state.get("save_freq") != "auto":
        return None
    found = [state.get(name) for name in ("stall", "interference", "duration", "step")]
    numbers = [x for x in found if type(x) is float and math.isfinite(x) and x >= 0]
    return Costs(*numbers) if len(numbers) == len(found) else None


def schedule(
    save_freq: str | int | bool | timedelta | Auto, clock: Callable[[], float] = time.monotonic
) -> Schedule:
    """The schedule for a checked `save_freq`.

    Args:
        save_freq: "epoch", a whole number from 1 up, "auto" or an :class:`Auto`, a length of time,
            or False.
        clock: Gives seconds, from any beginning.
    """
    if save_freq is False:
        return Schedule()
    if save_freq == "epoch":
        return EachEpoch()
    if save_freq == "auto":
        return EachInterval(Auto(), clock)
    if isinstance(save_freq, Auto):
        return EachInterval(save_freq, clock)
    seconds = durations.parse(save_freq)
    if seconds is not None:
        return EachSeconds(seconds, clock)
    if isinstance(save_freq, str | timedelta):
        raise ValueError(f"save_freq={save_freq!r} was not checked")
    return EachBatches(int(save_freq))
