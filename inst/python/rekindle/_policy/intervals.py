"""How often to save: from the cost of saving, its bound, and how often a run fails. Pure.

The sources: Mohan, Phanishayee and Chidambaram, "CheckFreq: Frequent, Fine-Grained DNN
Checkpointing", FAST'21, for an interval tuned while training runs, from the measured cost of saving
and a bound on it. Young, "A first order approximation to the optimum checkpoint interval",
Communications of the ACM 17(9), 1974. Daly, "A higher order estimate of the optimum checkpoint
interval for restart dumps", Future Generation Computer Systems 22(3), 2006.

All times are in seconds. An interval is from the beginning of one save to the beginning of the
next.
"""

from __future__ import annotations

import math
import operator
import statistics
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from rekindle._base import checks
from rekindle._base.durations import seconds, spoken

# Measured costs vary, so plans use only this share of the bound.
MARGIN = 0.9
# A shorter interval gains nothing: a failure loses no more work than this.
SHORTEST = 1.0


def young(cost: float, mtbf: float) -> float:
    """The time to work between saves that loses least time, to the first order (Young 1974).

    Args:
        cost: The cost of a save.
        mtbf: Mean time between failures.
    """
    return math.sqrt(2 * cost * mtbf)


def daly(cost: float, mtbf: float) -> float:
    """As :func:`young`, to a higher order (Daly 2006): also right if failures are frequent."""
    if cost >= 2 * mtbf:
        return mtbf
    part = cost / (2 * mtbf)
    return math.sqrt(2 * cost * mtbf) * (1 + math.sqrt(part) / 3 + part / 9) - cost


@dataclass(frozen=True)
class Auto:
    """A `save_freq`: rekindle chooses the interval between checkpoints during training.

    Args:
        max_overhead: float above 0 and up to 1. How much longer saving may make training, as a
            share of its time. Defaults to 0.035, that is 3.5 %.
        mean_time_between_failures: A number of seconds above 0, a time such as ``"6 h"`` or a
            ``datetime.timedelta``, or ``None``. How long such a run lasts on average until it is
            killed. Defaults to ``None``: not known. Then the shortest interval is the best.

    Raises:
        ArgumentError: (a ``ValueError``) An argument is not of the accepted form.

    Example::

        rekindle.keras.BackupAndRestore("backup", rekindle.Auto(max_overhead=0.01))
    """

    max_overhead: float = 0.035
    mean_time_between_failures: float | str | timedelta | None = None

    def __post_init__(self) -> None:
        if not checks.is_number(self.max_overhead) or not 0 < self.max_overhead <= 1:
            expected = "a number above 0 and up to 1: 0.035 is 3.5 %"
            raise checks.invalid("max_overhead", self.max_overhead, expected)
        object.__setattr__(self, "max_overhead", float(self.max_overhead))
        name = "mean_time_between_failures"
        object.__setattr__(self, name, seconds(name, self.mean_time_between_failures))

    @property
    def mtbf(self) -> float | None:
        """Mean time between failures, in seconds."""
        found = self.mean_time_between_failures
        return found if isinstance(found, float) else None


@dataclass(frozen=True)
class Costs:
    """The cost of one save.

    Attributes:
        stall: How long the save stalls training.
        interference: How much longer, in total, the steps take that run while it is written.
        duration: From the beginning of the save until the checkpoint is durable.
        step: The time of a step that no save disturbs; 0 if unknown.
        doubt: The standard error of stall and interference together. The bound must hold even if
            the measured saves happened to be cheap.
    """

    stall: float
    interference: float
    duration: float
    step: float
    doubt: float = 0.0

    @property
    def total(self) -> float:
        return self.stall + self.interference


# The reasons for an interval, in words.
REASONS = {
    "max_overhead": "as often as the limit on the overhead allows",
    "mean_time_between_failures": "so that failures cost the least time",
    "writing": "as often as a checkpoint can be written",
    "shortest": "the shortest useful interval",
}


@dataclass(frozen=True)
class Plan:
    """An interval and its reason.

    Attributes:
        interval: From the beginning of one save to the beginning of the next.
        reason: The deciding limit: ``"max_overhead"``; ``"mean_time_between_failures"``;
            ``"writing"``, the time to write one checkpoint; or ``"shortest"``, the minimum of one
            second.
        costs: The known cost of a save.
    """

    interval: float
    reason: str
    costs: Costs

    @property
    def overhead(self) -> float:
        """The expected cost of the saves, as a share of training."""
        return self.costs.total / (self.interval - self.costs.total)

    def in_words(self) -> str:
        """One line for the user."""
        costs = self.costs
        step = f" A step takes {spoken(costs.step)}." if costs.step else ""
        return (
            f"Saving every {spoken(self.interval)} ({REASONS[self.reason]}), at an overhead of"
            f" {100 * self.overhead:.2g} %. A save stalls training for {spoken(costs.stall)} and"
            f" slows the steps after it by {spoken(costs.interference)} in total.{step}"
        )

    def as_state(self) -> dict[str, Any]:
        """JSON values."""
        return {"interval": self.interval, "reason": self.reason, **asdict(self.costs)}


def choose(costs: Costs, goal: Auto) -> Plan:
    """The shortest interval within the bound, and that loses no more time by being so short.

    If the mean time between failures is known, the interval is not shorter than the optimum for
    failures: a shorter interval would cost more time than it saves.

    While a checkpoint is being written in the background, a failure loses the work since the
    previous checkpoint. This adds the same loss to each failure, whatever the interval, so the
    optimum stays the same.
    """
    cost = costs.total
    feared = cost + costs.doubt
    candidates = {
        "max_overhead": feared + feared / (MARGIN * goal.max_overhead),
        # Leave one undisturbed step between two saves, so that the time of a step stays known.
        "writing": costs.duration + costs.step / 2,
        "shortest": SHORTEST + cost,
    }
    if goal.mtbf is not None:
        candidates["mean_time_between_failures"] = cost + daly(cost, goal.mtbf)
    reason = max(candidates, key=lambda name: candidates[name])
    return Plan(candidates[reason], reason, costs)


def typical(values: Iterable[float]) -> float:
    """The mean, in which the highest values count only as much as the value below them.

    The highest values are one of 50 values, and at least one. A single slow save, disturbed by
    something else, does not predict the next saves. But if two saves are slow, that belongs to the
    cost of saving, and a median would hide it.
    """
    settled = _settled(values)
    return sum(settled) / len(settled) if settled else 0.0


def doubt(values: Iterable[float]) -> float:
    """The standard error of :func:`typical`."""
    settled = _settled(values)
    if len(settled) < 2:
        return 0.0
    return statistics.stdev(settled) / math.sqrt(len(settled))


def _settled(values: Iterable[float]) -> list[float]:
    ordered = sorted(values)
    if len(ordered) > 2:
        outliers = max(1, len(ordered) // 50)
        ordered[-outliers:] = [ordered[-outliers - 1]] * outliers
    return ordered


class Measurements:
    """Measures the latest steps and saves.

    The first save is slower than later saves, because it sets up memory. Its measurement counts
    only until there is another. The same holds for the costs that a resumed run recalls from the
    run before.
    """

    def __init__(self) -> None:
        self._steps: deque[float] = deque(maxlen=100)
        self._saves: deque[tuple[float, float, float]] = deque(maxlen=8)
        self._is_first = True
        self._stall = 0.0
        self._disturbed: list[float] = []

    def recall(self, costs: Costs) -> None:
        """Takes over the costs that the run before measured."""
        self._saves.append((costs.stall, costs.interference, costs.duration))

    def stepped(self, seconds: float, *, disturbed: bool) -> None:
        """Adds a step that took `seconds`; `disturbed` while a save was being written."""
        (self._disturbed if disturbed else self._steps).append(seconds)

    def save_began(self, stall: float) -> None:
        """Notes that a save stalled training for `stall` seconds; its writing may go on."""
        self._stall, self._disturbed = stall, []

    def save_ended(self) -> None:
        """Notes that the checkpoint is durable."""
        # Keep the sign, so that the noise of fast steps cancels the noise of slow steps.
        excess = sum(self._disturbed) - len(self._disturbed) * typical(self._steps)
        duration = self._stall + sum(self._disturbed)
        if self._is_first and self._saves:
            self._saves.clear()
            self._is_first = False
        self._saves.append((self._stall, excess if self._steps else 0.0, duration))

    @property
    def costs(self) -> Costs | None:
        """The cost of a save; ``None`` before the first save."""
        if not self._saves:
            return None
        stalls, excesses, durations = zip(*self._saves, strict=True)
        return Costs(
            stall=typical(stalls),
            interference=max(0.0, typical(excesses)),
            duration=typical(durations),
            step=typical(self._steps),
            doubt=doubt(map(operator.add, stalls, excesses)),
        )


def is_marked(change: Plan, told: Plan | None) -> bool:
    """Whether an interval differs enough from the last reported interval to report it."""
    if told is None:
        return True
    ratio = change.interval / told.interval
    return not 2 / 3 < ratio < 1.5
