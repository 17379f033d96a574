"""What a run is doing at one moment, and how fast it goes."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field, replace
from typing import Any

from rekindle._inspection.newest import Saved
from rekindle._storage.protocol import Holder

# The states in which there is nothing more to wait for.
OVER = ("finished", "preempted", "stopped", "died", "ended")
# Speed is that of so many seconds.
_WINDOW = 60.0


@dataclass(frozen=True)
class Now:
    """What a run was doing at one moment.

    Attributes:
        directory: The folder, as an absolute path.
        state: ``"waiting"`` if there is no run yet, ``"running"``, or ``"unseen"`` if this process
            cannot tell whether a run has locked the folder. After its end: ``"finished"``,
            ``"preempted"`` (it saved and ended because a signal asked for that), ``"stopped"`` (by
            an exception or the user), ``"died"`` (its process is gone), or ``"ended"`` if nothing
            says how.
        time: The moment, in POSIX seconds.
        holder: The process that has locked the folder, or the last known one, or ``None``.
        attempt: The number of the attempt, from 1, or ``None``.
        epoch: Whole epochs done, or ``None``.
        batch: Batches done of the next epoch, or ``None``.
        step: Steps done in all, if only the checkpoints say how far the run is; else ``None``.
        epochs: How many epochs the run has, or ``None``.
        batches: How many batches an epoch has, or ``None``.
        speed: Batches in a second, or steps if there are no batches; ``None`` if it is not known.
        left: Seconds until the last epoch ends, at this speed, or ``None``.
        seen: When the run was last seen at work, in POSIX seconds, or ``None``.
        loss: The loss after one of the last batches, or ``None``.
        checkpoint: The name of the newest checkpoint, or ``None``.
        saved: When that checkpoint was saved, in POSIX seconds, or ``None``.
        metrics: Its metrics, by name: numbers, strings and bools.
    """

    directory: str
    state: str
    time: float
    holder: Holder | None = None
    attempt: int | None = None
    epoch: int | None = None
    batch: int | None = None
    step: int | None = None
    epochs: int | None = None
    batches: int | None = None
    speed: float | None = None
    left: float | None = None
    seen: float | None = None
    loss: float | None = None
    checkpoint: str | None = None
    saved: float | None = None
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.state in OVER


# A user knows this as `rekindle.inspection.Now`.
Now.__module__ = "rekindle.inspection"


class Pace:
    """How fast a run goes, from the places at which it was seen in the last minute."""

    def __init__(self) -> None:
        self._places: collections.deque[tuple[float, int]] = collections.deque(maxlen=600)
        self._of = (0, 0)

    def speed(self, now: Now, saved: Saved | None, started: float | None) -> float | None:
        """Batches, or steps, in a second: how far the run went in the last minute.

        Args:
            now: What the run is doing.
            saved: Its newest checkpoint.
            started: When the process locked the folder, in POSIX seconds, or ``None``.
        """
        whole = now.batches is not None
        done = now.step if now.epoch is None else _total(now)
        if done is None or now.seen is None:
            return None
        kind = (now.attempt or 0, -1 if whole or now.epoch is None else now.epoch)
        if kind != self._of or (self._places and done < self._places[-1][1]):
            self._places.clear()
            self._of = kind
        if not self._places and saved is not None and started is not None and saved.time > started:
            # The first look: this attempt's last checkpoint says how fast it has been since.
            before = replace(now, epoch=saved.position.epoch, batch=saved.position.batch)
            if now.epoch is not None and (whole or before.epoch == now.epoch):
                self._places.append((saved.time, _total(before) or 0))
        if not self._places or (now.seen > self._places[-1][0] and done >= self._places[-1][1]):
            self._places.append((now.seen, done))
        while len(self._places) > 2 and self._places[-1][0] - self._places[0][0] > _WINDOW:
            self._places.popleft()
        (first, from_), (last, to) = self._places[0], self._places[-1]
        return (to - from_) / (last - first) if last > first and to > from_ else None


def _total(now: Now) -> int | None:
    """Batches done in all; without the number of an epoch's batches, those of this epoch."""
    if now.epoch is None:
        return None
    return now.epoch * (now.batches or 0) + (now.batch or 0)


def left(now: Now) -> float | None:
    if None in (now.speed, now.epoch, now.epochs, now.batches) or not now.speed:
        return None
    to_do = (now.epochs or 0) * (now.batches or 0) - (_total(now) or 0)
    since = max(0.0, now.time - (now.seen or now.time))
    return max(0.0, to_do / now.speed - since)
