"""When to save: pure decisions from the events that the training loop reports."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from rekindle._base import durations
from rekindle._policy import intervals
from rekindle._policy.intervals import Auto, Costs, Measurements, Plan

# "auto" knows no costs before the first save. It saves first after this many batches, of which the
# first compiles, or after this many seconds if batches take long.
_FIRST_AFTER = (6, 60.0)


class Schedule:
    """Decides at the end of each batch or epoch whether a save is due. This base class never saves.

    Attributes:
        by_batch: Whether the schedule needs a call at each batch. On JAX, these calls cost time.
        by_clock: Whether a clock decides, so that two processes may decide differently.
        last_batch: Zero-based index, in its epoch, of the last reported batch.
    """

    by_batch = False
    by_clock = False
    last_batch = 0

    def restored(self, state: Any) -> None:
        """A checkpoint was restored; `state` is its value of :meth:`as_state`."""

    def resumed_after(self, batches: int) -> None:
        """The epoch resumes after `batches` batches; a save followed the last of them."""
        self.last_batch = batches - 1

    def epoch_began(self) -> None:
        """Training is about to begin or resume an epoch."""

    def batch_ended(self, batch: int) -> bool:
        self.last_batch = batch
        return False

    def epoch_ended(self) -> bool:
        self.last_batch = 0
        return False

    def saved(self, held: float) -> None:
        """A save began, for any reason, and stalled training for `held` seconds."""

    def saved_out_of_turn(self) -> None:
        """A save ended that training waited for; its duration does not count as a normal cost."""

    def writing(self, is_writing: bool, has_failed: bool) -> None:
        """Gets the last save's state at each batch end: being written, failed, or durable."""

    def news(self) -> Plan | None:
        """The chosen plan, once after each marked change; ``None`` otherwise."""
        return None

    def as_state(self) -> dict[str, Any]:
        """JSON values to save with the run; empty for a schedule that does not use a clock."""
        return {}


class EachEpoch(Schedule):
    """Saves at the end of every epoch."""

    def epoch_ended(self) -> bool:
        self.last_batch = 0
        return True


class EachBatches(Schedule):
    """Saves when `count` batches or more ended since the last save, also across epochs.

    With ``steps_per_execution`` above 1, Keras reports only the last batch of each execution. This
    class also counts the batches in between, as Keras' own callback does.
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
    """The base of the schedules that use a clock.

    Args:
        clock: Returns seconds, counted from any start.
    """

    by_batch = True
    by_clock = True

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # The time of the last save, or of the beginning of training.
        self._since = clock()
        self._has_trained = False

    def epoch_began(self) -> None:
        # Restoring, and replaying the trained batches of a resumed epoch, do not count as training.
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
    """Saves at the first batch end at least `seconds` after the last save or the beginning."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._seconds = seconds

    def _is_due(self, now: float) -> bool:
        return now - self._since >= self._seconds

    def saved(self, held: float) -> None:
        # Count from the end of the save. If saves take longer than the interval, training must
        # still go on.
        self._since = self._clock()

    def as_state(self) -> dict[str, Any]:
        return {"save_freq": "time", "interval": self._seconds}


class EachInterval(_Clocked):
    """Measures what saves cost and what steps take, and keeps to the interval that follows.

    A step is the time from the end of one batch to the end of the next, without the stall of a
    save between them. The first step of an epoch does not count: it compiles, makes iterators, or
    includes a validation.
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
        # A failed save is tried again only after `seconds`, whatever the number of batches.
        return elapsed >= seconds or (self._batches >= batches and not self._has_saved)

    def saved(self, held: float) -> None:
        now = self._clock()
        if self._is_writing:
            # This save waited until the previous save ended.
            self._ended()
        self._since = now - held
        self._has_saved = True
        if self._step_began is not None:
            self._step_began += held
        self._measured.save_began(held)
        self._is_writing = True

    def saved_out_of_turn(self) -> None:
        super().saved_out_of_turn()
        # The last batch ended before this save, so the next step would include the save's time.
        self._step_began = None

    def writing(self, is_writing: bool, has_failed: bool) -> None:
        if not self._is_writing or is_writing:
            return
        self._is_writing = False
        # A failed save says nothing about the cost of a save.
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
    """The costs in a schedule's saved state; ``None`` if they are missing or not valid numbers."""
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
