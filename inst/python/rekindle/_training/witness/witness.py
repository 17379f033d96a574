"""Whether a resumed fit() sees the same batches and losses as the interrupted one saw.

A killed run has trained some batches after its last checkpoint. The resumed run trains them again,
and compares what it sees with what the killed run left in the file `ckpt.witness`.
"""

from __future__ import annotations

import collections
import math
import time
from collections.abc import Callable, Collection
from typing import Any

from rekindle._format.manifest import Position
from rekindle._format.witness import BATCH, DIFFERENCE, EPOCH, NO_BATCH, STEP, Record
from rekindle._policy.tolerance import Tolerance
from rekindle._training.witness import numbers
from rekindle._training.witness.pace import AFTER_SAVE, Pace
from rekindle._training.witness.ring import Ring
from rekindle._training.witness.samples import sample

# Losses that a device still computes. More of them would hold its memory.
_WAITING = 16

VERIFIED, UNVERIFIED, CHANGED, DIFFERS = "verified", "unverified", "changed", "differs"

# What is compared when a fit() begins.
NOTHING = {"batches": 0, "losses": 0, "epochs": 0, "largest": 0.0}

# What differs, by what is counted in `compared`. The file has the index.
_DIFFERENCES = {
    "batches": "the data is not that of the interrupted run",
    "losses": "the loss is not that of the interrupted run",
    "epochs": "the metrics at its end are not those of the interrupted run",
}

_Place = tuple[int, int, int]


def _in_epoch(epoch: int, batch: int | None) -> str:
    return f"epoch {epoch}{'' if batch is None else f', batch {batch}'} on (counted from 0)"


class Witness:
    """Notes what one fit() sees, and compares it with what the interrupted fit() saw.

    Args:
        ring: Where the notes are kept.
        tolerance: Which losses count as equal.
        differs: Called once, with the sentence that says what differs, and where.
        clock: Gives seconds.
        meant: The kinds of differences that the user means, as `compared` has them.
        place: Puts an epoch, and a batch of it if there is one, into words: "from ..." them.

    Attributes:
        evidence: ``"verified"``, ``"unverified"``, ``"changed"`` or ``"differs"``.
        compared: How many ``batches``, ``losses`` and ``epochs`` were equal to those of the
            interrupted run; and ``largest``, the largest relative difference of a loss.
    """

    def __init__(
        self,
        ring: Ring,
        tolerance: Tolerance,
        differs: Callable[[str], None],
        clock: Callable[[], float] = time.perf_counter,
        meant: Collection[str] = (),
        place: Callable[[int, int | None], str] = _in_epoch,
    ) -> None:
        self.evidence = UNVERIFIED
        self.compared: dict[str, Any] = dict(NOTHING)
        self._ring = ring
        self._tolerance = tolerance
        self._differs = differs
        self._meant = meant
        self._place = place
        self._expected: dict[_Place, Record] = {}
        self._epoch = 0
        self._read = 0
        # Digests by the number of the batch.
        self._batches: dict[int, int] = {}
        self._losses: collections.deque[tuple[int, int, Any]] = collections.deque()
        self._is_stopped = False
        self._is_replaying = False
        self._pace = Pace(clock)

    def begin(self, position: Position | None, *, is_changed: bool) -> str | None:
        """Begins to compare. Call it once the checkpoint is restored.

        Args:
            position: Where the fit() resumes; ``None`` if it begins afresh.
            is_changed: Whether the set-up was changed on purpose.

        Returns:
            The sentence about the difference that the interrupted run had from the one before it.
            That run may have been killed before a checkpoint had it.
        """
        if position is None:
            self._ring.clear()
            return None
        if is_changed:
            self.changed()
            return None
        records = self._ring.read()
        for record in records:
            if record.epoch >= (position.epoch or 0):
                for kind in (BATCH, STEP, EPOCH):
                    if record.kind & kind:
                        self._expected[kind, record.epoch, record.batch] = record
        return self._keep([record for record in records if record.kind == DIFFERENCE])

    def _keep(self, found: list[Record]) -> str | None:
        """Notes the newest of some differences anew, as the next records take the old places."""
        newest = max(found, key=lambda record: record.attempt, default=None)
        if newest is None or newest.digest not in range(len(_DIFFERENCES)):
            return None
        self._ring.add(DIFFERENCE, newest.epoch, newest.batch, newest.digest, 0.0)
        number = None if newest.batch == NO_BATCH else newest.batch
        return self._sentence(list(_DIFFERENCES)[newest.digest], newest.epoch, number)

    def changed(self) -> None:
        """The run is known to be another: what the interrupted one saw says nothing about it."""
        self.evidence = CHANGED
        self._expected.clear()
        self._ring.clear()

    @property
    def is_over(self) -> bool:
        """Whether the interrupted run saw nothing beyond this epoch, which ends."""
        return all(epoch <= self._epoch for _, epoch, _ in self._expected)

    def stop(self) -> None:
        """Training ends in the middle of an epoch: what follows is not part of the run."""
        self._is_stopped = True

    def saved(self) -> None:
        """A checkpoint was taken: a resumed run begins here."""
        self._pace.free = AFTER_SAVE

    def epoch_begins(self, epoch: int) -> None:
        self._epoch, self._read, self._is_replaying = epoch, 0, False
        self._batches.clear()
        self._losses.clear()

    def reads_at(self, batch: int) -> None:
        """The batch that is read next has this number."""
        self._read = batch

    def sees_batch(self, batch: Any) -> None:
        """The trainer reads a batch, to train on it or to skip it."""
        number = self._read
        self._read = number + 1
        if self._is_stopped or not self._pace.is_due(number + 1):
            return
        began = self._pace.clock()
        digest = sample(batch)
        if digest is not None:
            self._batches[number] = digest
            record = self._expected.get((BATCH, self._epoch, number))
            if record is not None and (record.digest == digest or not self._is_replaying):
                self._compare(record, "batches", record.digest == digest, number)
        self._pace.took("batch", began)

    def replays(self) -> None:
        """The batches that follow are skipped.

        Such a batch may be another one, and the next again the right one: data may draw from the
        generators that training draws from, too, and a replay trains nothing.
        """
        self._is_replaying = True

    def replayed(self) -> None:
        """All batches so far were skipped."""
        self._is_replaying = False
        self._batches.clear()

    def step_ended(self, done: int, logs: Any) -> None:
        """A step was trained.

        Args:
            done: How many batches of the epoch are done.
            logs: Its results by name; the device may still compute them.
        """
        is_due = self._pace.is_due(done)
        self._pace.step_ended()
        if self._is_stopped or not is_due:
            return
        began = self._pace.clock()
        loss = numbers.loss(logs)
        if loss is not None:
            self._losses.append((self._epoch, done - 1, loss))
        self._note(wait=False)
        self._pace.took("step", began)

    def epoch_ends(self, epoch: int, logs: Any) -> None:
        """An epoch ends with these logs, before a callback adds to them."""
        if self._is_stopped:
            return
        self._note(wait=True)
        digest = numbers.digest(logs)
        if digest is None:
            return
        record = self._expected.get((EPOCH, epoch, 0))
        loss = numbers.number(numbers.loss(logs), wait=True)
        loss = math.nan if loss is None else loss
        if record is not None:
            is_same = record.digest == digest
            if not is_same and self._tolerance.relative:
                # The digest is of bits. With a tolerance, only the loss is compared.
                is_same = self._is_near(record.loss, loss)
            self._compare(record, "epochs", is_same, None)
        self._ring.add(EPOCH, epoch, 0, digest, loss)

    def settle(self) -> None:
        """Writes what is still to be written, and waits for the device."""
        if not self._is_stopped:
            self._note(wait=True)

    def _note(self, *, wait: bool) -> None:
        """Writes what is at hand, a loss beside its batch."""
        while self._losses:
            epoch, number, value = self._losses[0]
            loss = numbers.number(value, wait=wait)
            if loss is None:
                break
            self._losses.popleft()
            record = self._expected.get((STEP, epoch, number)) if self._expected else None
            if record is not None:
                self._compare(record, "losses", self._is_near(record.loss, loss), number)
            beside = self._batches.pop(number, None)
            kind = STEP if beside is None else STEP | BATCH
            self._ring.add(kind, epoch, number, beside or 0, loss)
        if len(self._losses) > _WAITING:
            self._losses.popleft()
        if self._batches:
            for number, digest in self._batches.items():
                self._ring.add(BATCH, self._epoch, number, digest, 0.0)
            self._batches.clear()

    def _is_near(self, expected: float, found: float) -> bool:
        if expected == found or (math.isnan(expected) and math.isnan(found)):
            return True
        scale = max(abs(expected), abs(found))
        far = abs(expected - found) / scale if math.isfinite(scale) else math.inf
        is_near = far <= self._tolerance.relative
        if is_near:
            self.compared["largest"] = max(self.compared["largest"], far)
        return is_near

    def _compare(self, record: Record, kind: str, is_same: bool, number: int | None) -> None:
        if is_same:
            self.compared[kind] += 1
            # Equal batches say nothing about the model.
            if kind != "batches":
                self.evidence = VERIFIED
            return
        self.evidence = CHANGED if kind in self._meant else DIFFERS
        self._expected.clear()
        self._ring.clear()
        if self.evidence == DIFFERS:
            place = record.epoch, NO_BATCH if number is None else number
            self._ring.add(DIFFERENCE, *place, list(_DIFFERENCES).index(kind), 0.0)
        self._differs(self._sentence(kind, record.epoch, number))

    def _sentence(self, kind: str, epoch: int, number: int | None) -> str:
        return f"from {self._place(epoch, number)}, {_DIFFERENCES[kind]}"

    def close(self) -> None:
        """Closes the ring. What was noted stays, for the run that resumes."""
        self._ring.close()
