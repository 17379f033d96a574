"""Notes the attempts of a run: this one while it trains, and how those before it ended."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from rekindle._base import checks
from rekindle._format import witness
from rekindle._format.manifest import Manifest
from rekindle._format.witness import Pulse
from rekindle._saving.attempts import MOST, Attempt, Attempts
from rekindle._training.witness.ring import Ring

# Seconds between two writes of the pulse.
_BEAT = 1.0


class AttemptLog:
    """The attempts of one run, for people who watch it.

    The pulse is written at most once a second: this costs training nothing that can be measured.

    Args:
        ring: Where the pulse is written.
        clock: Gives POSIX seconds.
        timer: Gives seconds that a change of the clock does not move.
    """

    def __init__(
        self,
        ring: Ring,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._ring = ring
        self._clock = clock
        self._timer = timer
        self._attempts = Attempts()
        self._row: Attempt | None = None
        self._state = "running"
        # Attempts that only the witness knew. It forgets them when this attempt clears it.
        self._untold: tuple[Attempt, ...] = ()
        self._last_beat = 0.0
        self._due = 0.0

    def find(self, manifest: Manifest | None) -> None:
        """Finds the attempts before this one. Call it before the witness is cleared.

        Args:
            manifest: The checkpoint that this attempt resumes from, or ``None``.
        """
        known = Attempts.of(manifest)
        found = known.followed(self._ring.read_pulse(), self._ring.read()).over()
        newest = max((row.number for row in known.rows), default=0)
        self._untold = tuple(row for row in found.rows if row.number >= newest)[-MOST:]
        self._attempts = found
        self._ring.attempt = max((row.number for row in found.rows), default=0) + 1

    def begin(self, manifest: Manifest | None, place: tuple[int, int]) -> None:
        """This attempt begins at a place: whole epochs, and batches of the next one."""
        (epoch, batch), now = place, self._clock()
        self._row = Attempt(
            number=self._ring.attempt,
            began=now,
            checkpoint=None if manifest is None else manifest.number,
            saved=None if manifest is None else manifest.time,
            epoch=epoch,
            batch=batch,
            to_epoch=epoch,
            to_batch=batch,
            until=now,
        )

    def plan(self, epochs: Any, batches: Any) -> None:
        """How many epochs the run has, and how many batches an epoch has, as far as known."""
        known = self._attempts
        self._attempts = Attempts(known.rows, _count(epochs), _count(batches) or known.batches)

    def reached(self, epoch: int, batch: int, *, at_once: bool = False) -> None:
        """So many epochs are done, and so many batches of the next one. Called after each step."""
        row = self._row
        if row is None or self._state != "running":
            return
        # Only what costs next to nothing: a step may take some microseconds.
        if at_once or self._timer() >= self._due:
            self._due = self._timer() + _BEAT
            self._beat(row, epoch, batch, self._clock())

    def _beat(self, row: Attempt, epoch: int, batch: int, now: float) -> None:
        if not self._last_beat:
            self._tell(row)
        self._last_beat = now
        self._row = dataclasses.replace(row, to_epoch=epoch, to_batch=batch, until=now)
        epochs, batches = self._attempts.epochs, self._attempts.batches
        number, loss = row.number, self._ring.loss
        self._ring.beat(Pulse(self._state, number, epoch, batch, epochs, batches, now, loss))

    def _tell(self, row: Attempt) -> None:
        """Writes records of this start, and of attempts that no checkpoint describes."""
        for one in self._untold:
            if one.began is not None:
                self._add_start(one, one.began)
            state = witness.state_number(one.ended) if one.ended != "unknown" else 0
            self._ring.add_of(one.number, witness.END, *one.end, state, one.until or 0.0)
        self._untold = ()
        self._add_start(row, row.began or 0.0)

    def _add_start(self, row: Attempt, began: float) -> None:
        number = witness.NO_CHECKPOINT if row.checkpoint is None else row.checkpoint
        self._ring.add_of(row.number, witness.START, *row.start, number, began)

    def ends(self, state: str) -> None:
        """The attempt ends in this state. Safe to call again: the first call counts."""
        row = self._row
        if row is None or self._state != "running":
            return
        self._state = state
        if not self._last_beat:
            # It failed before its first step: there is nothing to see.
            return
        # If an exception ended the fit(), rekindle may learn of it much later.
        now = self._clock() if state != "stopped" else row.until or self._clock()
        self._beat(row, row.to_epoch, row.to_batch, now)

    def as_state(self, place: tuple[int, int], held: float, evidence: str | None) -> dict[str, Any]:
        """The attempts as JSON values, for a checkpoint at this place."""
        if self._row is None:
            return {}
        row = dataclasses.replace(
            self._row,
            to_epoch=int(place[0]),
            to_batch=int(place[1]),
            until=self._clock(),
            held=held,
            evidence=evidence,
        )
        rows = (*self._attempts.rows, row)
        return dataclasses.replace(self._attempts, rows=rows).as_state()


def _count(value: Any) -> int | None:
    """A number that a user gave to fit(), as Python's own; ``None`` if it counts nothing."""
    return int(value) if checks.is_int(value) and value > 0 else None
