"""How often to save: from what saves cost, what they may cost, and how often a run fails. Pure.

The sources: Mohan, Phanishayee and Chidambaram, "CheckFreq: Frequent, Fine-Grained DNN
Checkpointing", FAST'21, for an interval tuned while training runs, from the measured cost of saves
and a bound on it. Young, "A first order approximation to the optimum checkpoint interval",
Communications of the ACM 17(9), 1974. Daly, "A higher order estimate of the optimum checkpoint
interval for restart dumps", Future Generation Computer Systems 22(3), 2006.

All times are in seconds. An interval is from the beginning of one save to that of the next.
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

# Costs are measured, and vary: this much of the bound is planned for.
MARGIN = 0.9
# Below, nothing is gained: no more work than that can be lost.
SHORTEST = 1.0


def young(cost: float, mtbf: float) -> float:
    """How long to work between saves so that least time is lost, to the first order (Young 1974).

    Args:
        cost: What a save costs.
        mtbf: Mean time between failures.
    """
    return math.sqrt(2 * cost * mtbf)


def daly(cost: float, mtbf: float) -> float:
    """As :func:`young`, to a higher order (Daly 2006): right where failures are frequent, too."""
    if cost >= 2 * mtbf:
        return mtbf
    part = cost / (2 * mtbf)
    return math.sqrt(2 * cost * mtbf) * (1 + math.sqrt(part) / 3 + part / 9) - cost


@dataclass(frozen=True)
class Auto:
    """Intervals that are chosen while training runs, from what saves cost: a `save_freq`.

    Args:
        max_overhead: float above 0 and up to 1. How much longer saves may make training, as a share
            of it. Defaults to 0.035, that is 3.5 %.
        mean_time_between_failures: A number of seconds above 0, a time such as ``"6 h"`` or a
            ``datetime.timedelta``, or ``None``. How long such a run lasts, on average, until it is
            killed. Defaults to ``None``: not known. Then the shortest interval is the best one.

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
        name = "mean_time_between_failures"
        object.__setattr__(self, name, seconds(name, self.mean_time_between_failures))

    @property
    def mtbf(self) -> float | None:
        """Mean time between failures, in seconds."""
        found = self.mean_time_between_failures
        return found if isinstance(found, float) else None


@dataclass(frozen=True)
class Costs:
    """What one save costs.

    Attributes:
        stall: How long it holds training up.
        interference: How much longer the steps take in all that run while it is written.
        duration: From its beginning until it is durable.
        step: What a step takes that no save disturbs; 0 when it is not known.
        doubt: The standard error of stall and interference together. The bound is to hold though
            the saves that were measured may have been cheap ones.
    """

    stall: float
    interference: float
    duration: float
    step: float
    doubt: float = 0.0

    @property
    def total(self) -> float:
        return self.stall + self.interference


# Why an interval is what it is, in words.
REASONS = {
    "max_overhead": "as often as the bound on the overhead allows",
    "mean_time_between_failures": "so that failures lose least time",
    "writing": "as often as one can be written",
    "shortest": "less would be of no use",
}


@dataclass(frozen=True)
class Plan:
    """An interval, and why.

    Attributes:
        interval: From the beginning of one save to that of the next.
        reason: What decided: ``"max_overhead"``; ``"mean_time_between_failures"``; ``"writing"``,
            how long one save takes to be written; or ``"shortest"``, the floor of a second.
        costs: What was known of a save.
    """

    interval: float
    reason: str
    costs: Costs

    @property
    def overhead(self) -> float:
        """The share of training that the saves cost, by what is known."""
        return self.costs.total / (self.interval - self.costs.total)

    def in_words(self) -> str:
        """One line for the user."""
        costs = self.costs
        step = f" A step takes {spoken(costs.step)}." if costs.step else ""
        return (
            f"Saving every {spoken(self.interval)} ({REASONS[self.reason]}), at an overhead of"
            f" {100 * self.overhead:.2g} %. A save holds training up for {spoken(costs.stall)} and"
            f" slows its steps by {spoken(costs.interference)} in all.{step}"
        )

    def as_state(self) -> dict[str, Any]:
        """JSON values."""
        return {"interval": self.interval, "reason": self.reason, **asdict(self.costs)}


def choose(costs: Costs, goal: Auto) -> Plan:
    """The shortest interval within the bound, and that loses no more time by being so short.

    The second counts where the mean time between failures is known.

    While a save is written behind the training, a failure loses what came after the save before
    it. That adds the same to each failure whatever the interval, and does not move the optimum.
    """
    cost = costs.total
    feared = cost + costs.doubt
    candidates = {
        "max_overhead": feared + feared / (MARGIN * goal.max_overhead),
        # Not at the next step: one must go by undisturbed, or what it takes would not stay known.
        "writing": costs.duration + costs.step / 2,
        "shortest": SHORTEST + cost,
    }
    if goal.mtbf is not None:
        candidates["mean_time_between_failures"] = cost + daly(cost, goal.mtbf)
    reason = max(candidates, key=lambda name: candidates[name])
    return Plan(candidates[reason], reason, costs)


def typical(values: Iterable[float]) -> float:
    """The mean, where what stands out above counts for no more than the value below it.

    That is one value of 50, and one at least. A save beside which something else happened says
    nothing of the next ones. Two such saves are what saves cost: a median would not see them.
    """
    settled = _settled(values)
    return sum(settled) / len(settled) if settled else 0.0


def doubt(values: Iterable[float]) -> float:
    """The standard error of what is :func:`typical`."""
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
    """What is known of steps and saves, from the latest of them.

    The first save is slower than the others, as memory is set up for it: it counts until there is
    another. So does what a resumed run knows of the run before.
    """

    def __init__(self) -> None:
        self._steps: deque[float] = deque(maxlen=100)
        self._saves: deque[tuple[float, float, float]] = deque(maxlen=8)
        self._is_first = True
        self._stall = 0.0
        self._disturbed: list[float] = []

    def recall(self, costs: Costs) -> None:
        """What the run before has measured."""
        self._saves.append((costs.stall, costs.interference, costs.duration))

    @property
    def clear_steps(self) -> int:
        """How many steps were measured that no save disturbed; the latest 100 count."""
        return len(self._steps)

    def stepped(self, seconds: float, *, disturbed: bool) -> None:
        """A step took so long, while a save was being written or not."""
        (self._disturbed if disturbed else self._steps).append(seconds)

    def save_began(self, stall: float) -> None:
        """A save held training up for so long; it may still be being written."""
        self._stall, self._disturbed = stall, []

    def save_ended(self) -> None:
        """It is durable."""
        # Signed: noise of a step that happened to be fast makes up for that of a slow one.
        excess = sum(self._disturbed) - len(self._disturbed) * typical(self._steps)
        duration = self._stall + sum(self._disturbed)
        if self._is_first and self._saves:
            self._saves.clear()
            self._is_first = False
        self._saves.append((self._stall, excess if self._steps else 0.0, duration))

    @property
    def costs(self) -> Costs | None:
        """What a save costs, ``None`` before there was one."""
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
    """Whether an interval is so far from the one last told of that it is worth a line."""
    if told is None:
        return True
    ratio = change.interval / told.interval
    return not 2 / 3 < ratio < 1.5
