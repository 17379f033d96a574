"""Which checkpoints to keep: pure decisions on the existing checkpoints.

The rules are those of ``tf.train.CheckpointManager``, and one more: the best by a metric.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rekindle._base import checks

_HOUR = 3600.0


@dataclass(frozen=True)
class Entry:
    """A checkpoint that the retention rules apply to.

    Attributes:
        number: The checkpoint's number.
        time: POSIX seconds at which it was saved.
        metadata: The checkpoint's metadata, including its metrics.
    """

    number: int
    time: float
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Best:
    """Keeps the `count` checkpoints with the best value of a metric.

    Attributes:
        metric: The metric's name in the metadata of the checkpoints.
        mode: "min" if lower is better, "max" if higher is better.
        count: How many checkpoints to keep.
    """

    metric: str
    mode: str
    count: int


@dataclass(frozen=True)
class Retention:
    """Which checkpoints to keep. rekindle removes the others after each save.

    Args:
        last: int from 1 up, or ``None`` to keep all. How many of the newest checkpoints to keep.
            Defaults to 1.
        best: ``(metric, mode, count)``, or ``None``. Beside the newest checkpoints, rekindle keeps
            the `count` checkpoints whose `metric` is the lowest (`mode` "min") or the highest
            ("max"), as in ``("val_loss", "min", 2)``. Defaults to ``None``.
        every_hours: float above 0, hours, or ``None``. A checkpoint that rekindle would remove
            stays for good if it was taken at least that many hours after the last checkpoint that
            stayed in this way. Defaults to ``None``.

    Raises:
        ArgumentError: (a ``ValueError``) An argument is not of the accepted form.

    Example::

        rekindle.Retention(last=3, best=("val_loss", "min", 1), every_hours=24)
    """

    last: int | None = 1
    best: Best | tuple[str, str, int] | None = None
    every_hours: float | None = None

    def __post_init__(self) -> None:
        if self.last is not None and not (checks.is_int(self.last) and self.last >= 1):
            raise checks.invalid("last", self.last, "a whole number from 1 up, or None for all")
        # NumPy's numbers do not become JSON, and a checkpoint records these.
        object.__setattr__(self, "last", None if self.last is None else int(self.last))
        if self.best is not None:
            object.__setattr__(self, "best", best_of("best", self.best))
        object.__setattr__(self, "every_hours", checks.hours("every_hours", self.every_hours))

    @property
    def best_rule(self) -> Best | None:
        """`best`, checked."""
        return self.best if isinstance(self.best, Best) else None

    @property
    def metric(self) -> str | None:
        """The metric of `best`."""
        rule = self.best_rule
        return None if rule is None else rule.metric


def best_of(name: str, value: Any) -> Best:
    """The argument of this name, checked."""
    if isinstance(value, Best):
        return value
    if isinstance(value, tuple | list) and len(value) == 3:
        metric, mode, count = value
        is_count = checks.is_int(count) and count >= 1
        if isinstance(metric, str) and mode in ("min", "max") and is_count:
            return Best(metric, mode, int(count))
    raise checks.invalid(
        name, value, "(metric, mode, count): a name, 'min' or 'max', and a number from 1 up"
    )


@dataclass(frozen=True)
class Ledger:
    """The managed checkpoints.

    Attributes:
        entries: The checkpoints, in the order of saving.
        preserved: The time of the checkpoint last preserved for good, in POSIX seconds.
    """

    entries: tuple[Entry, ...]
    preserved: float

    @property
    def numbers(self) -> list[int]:
        return [entry.number for entry in self.entries]


def add(ledger: Ledger, entry: Entry) -> Ledger:
    """Adds the newest checkpoint. If its number was saved before, the number moves to the end."""
    others = tuple(one for one in ledger.entries if one.number != entry.number)
    return Ledger((*others, entry), ledger.preserved)


def sweep(ledger: Ledger, rules: Retention) -> tuple[Ledger, list[int]]:
    """The checkpoints that stay managed, and the numbers of the checkpoints to remove.

    A preserved checkpoint is in neither: it stays on disk, and later sweeps ignore it.
    """
    if rules.last is None:
        return ledger, []
    kept = {entry.number for entry in ledger.entries[-rules.last :]}
    kept |= best(ledger.entries, rules.best_rule)
    preserved = ledger.preserved
    removed = []
    for entry in ledger.entries:
        if entry.number in kept:
            continue
        if rules.every_hours and entry.time - rules.every_hours * _HOUR >= preserved:
            preserved = entry.time
        else:
            removed.append(entry.number)
    entries = tuple(entry for entry in ledger.entries if entry.number in kept)
    return Ledger(entries, preserved), removed


def best(entries: Sequence[Entry], rule: Best | None) -> set[int]:
    """The numbers of the best checkpoints; among equal values, the newer is better."""
    if rule is None:
        return set()
    sign = 1 if rule.mode == "min" else -1
    ranked = []
    for place, entry in enumerate(entries):
        value = entry.metadata.get(rule.metric)
        # Only NaN differs from itself. `math.isnan()` refuses whole numbers too large for a float.
        if isinstance(value, int | float) and value == value:
            ranked.append((sign * value, -place, entry.number))
    return {number for _, _, number in sorted(ranked)[: rule.count]}


def recover(
    entries: Sequence[Entry], preserved: float, rules: Retention, now: float
) -> tuple[Ledger, float]:
    """Recovers the ledger of an earlier manager from its checkpoints.

    Args:
        entries: The checkpoints that it managed and that still exist, in the order of saving.
        preserved: The ledger's `preserved` when the newest of them was saved.
        rules: The rules at that time. With them, this function repeats the decisions that the
            earlier manager made after that save.
        now: POSIX seconds.

    Returns:
        The ledger, and by how many seconds the clock was set back. If it was set back, the
        existing checkpoints are kept and no longer managed.
    """
    behind = max(0.0, preserved - now)
    preserved = min(preserved, now)
    managed = tuple(
        Entry(entry.number, min(entry.time, now), entry.metadata)
        for entry in entries
        if min(entry.time, now) > preserved
    )
    swept, removed = sweep(Ledger(managed, preserved), rules)
    # After a crash, checkpoints that the rules remove may still exist. They stay managed, and are
    # removed after the next save.
    left = set(removed) | set(swept.numbers)
    return Ledger(tuple(one for one in managed if one.number in left), swept.preserved), behind
