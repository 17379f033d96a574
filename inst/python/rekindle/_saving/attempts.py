"""The attempts of a run: from where to where each trained, and how it ended.

A checkpoint of a fit() has the attempts up to it in its state. The file `ckpt.witness` has what
happened since. Both are for people: no resume depends on them, and an older checkpoint has none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rekindle._format import layout, witness
from rekindle._format.manifest import Manifest
from rekindle._format.witness import END, START, STEP, Pulse, Record

_KEY = "attempts"
# A checkpoint has the newest attempts, so many at most, and the number of all of them.
MOST = 64
# A forged checkpoint may have any number of rows.
_MOST_READ = 1000
# How an attempt ended. "running": it went on when the checkpoint was saved.
ENDS = (*witness.STATES.values(), "unknown")
_EVIDENCE = ("verified", "unverified", "changed", "differs")


@dataclass(frozen=True)
class Attempt:
    """One attempt of a run: one ``fit()``, from its start or resume to its end.

    Attributes:
        number: Its number, from 1.
        began: When it began, in POSIX seconds, or ``None`` if that is not known.
        checkpoint: The number of the checkpoint that it resumed from; ``None`` if it started
            without one.
        saved: When that checkpoint was saved, in POSIX seconds, or ``None``.
        epoch: Whole epochs done when it began.
        batch: Batches done of the next epoch when it began.
        to_epoch: Whole epochs done where it was last seen.
        to_batch: Batches done of the next epoch where it was last seen.
        until: When it was last seen there, in POSIX seconds, or ``None``.
        ended: How it ended: ``"complete"``, ``"preempted"`` (a signal asked it to end),
            ``"stopped"`` (by an exception or the user), ``"died"`` (killed), ``"running"`` or
            ``"unknown"``.
        held: Seconds that saving delayed its training, up to its last checkpoint.
        evidence: ``"verified"``, ``"unverified"``, ``"changed"`` or ``"differs"``, as of its last
            checkpoint; ``None`` if it did not resume.
    """

    number: int
    began: float | None = None
    checkpoint: int | None = None
    saved: float | None = None
    epoch: int = 0
    batch: int = 0
    to_epoch: int = 0
    to_batch: int = 0
    until: float | None = None
    ended: str = "running"
    held: float = 0.0
    evidence: str | None = None

    @property
    def start(self) -> tuple[int, int]:
        return self.epoch, self.batch

    @property
    def end(self) -> tuple[int, int]:
        return self.to_epoch, self.to_batch


@dataclass(frozen=True)
class Attempts:
    """The attempts of a run, oldest first.

    Attributes:
        rows: The newest of them.
        epochs: How many epochs the run has, or ``None``.
        batches: How many batches an epoch has, or ``None``.
    """

    rows: tuple[Attempt, ...] = ()
    epochs: int | None = None
    batches: int | None = None

    @classmethod
    def of(cls, manifest: Manifest | None) -> Attempts:
        """The attempts in a checkpoint. Rows that make no sense are left out."""
        state = None if manifest is None else manifest.state.get(_KEY)
        if not isinstance(state, dict):
            return cls(batches=_of_fingerprint(manifest))
        rows = state.get("rows")
        found = [_attempt(row) for row in (rows if isinstance(rows, list) else [])[-_MOST_READ:]]
        return cls(
            tuple(_ascending([one for one in found if one is not None])),
            _count(state.get("epochs")) or None,
            _count(state.get("batches")) or _of_fingerprint(manifest),
        )

    def as_state(self) -> dict[str, Any]:
        """JSON values for the state of a checkpoint, under the name of this part."""
        rows = [dataclasses.asdict(row) for row in self.rows[-MOST:]]
        return {_KEY: {"epochs": self.epochs, "batches": self.batches, "rows": rows}}

    def followed(self, pulse: Pulse | None, records: Iterable[Record]) -> Attempts:
        """These attempts, and what the witness says of them and of those after them.

        Args:
            pulse: The pulse of the newest attempt, or ``None``.
            records: The records of the witness.
        """
        rows = {row.number: row for row in self.rows}
        newest = max(rows, default=0)
        for record in records:
            if record.kind & (START | END | STEP) and record.attempt >= max(newest, 1):
                before = rows.get(record.attempt)
                if before is None and record.kind & STEP:
                    # Its start is gone: other records have taken its place.
                    before = Attempt(record.attempt, epoch=record.epoch, batch=record.batch)
                before = before or Attempt(record.attempt, ended="unknown")
                rows[record.attempt] = _noted(before, record)
        if pulse is None or pulse.attempt < max(newest, 1):
            return dataclasses.replace(self, rows=tuple(_in_order(rows)))
        row = rows.get(pulse.attempt) or Attempt(
            pulse.attempt, epoch=pulse.epoch, batch=pulse.batch, ended="running"
        )
        place = pulse.epoch, pulse.batch
        rows[pulse.attempt] = _reached(row, place, pulse.time, pulse.state)
        return Attempts(
            tuple(_in_order(rows)), pulse.epochs or self.epochs, pulse.batches or self.batches
        )

    def over(self) -> Attempts:
        """The same, once no attempt goes on any more: one that did not say its end has died."""
        ends = ["unknown"] * (len(self.rows) - 1) + ["died"]
        return dataclasses.replace(
            self,
            rows=tuple(
                dataclasses.replace(row, ended=end) if row.ended == "running" else row
                for row, end in zip(self.rows, ends, strict=False)
            ),
        )

    def between(self, start: tuple[int, int], end: tuple[int, int]) -> int | None:
        """How many batches are between two places; ``None`` if that is not known."""
        if start[0] == end[0]:
            return end[1] - start[1]
        if self.batches is None:
            return None
        return (end[0] - start[0]) * self.batches + end[1] - start[1]

    def again(self, index: int) -> int | None:
        """How many batches the attempt at this index trained that others had trained before."""
        row = self.rows[index]
        furthest = max((one.end for one in self.rows[:index]), default=row.start)
        found = self.between(row.start, min(furthest, row.end))
        return None if found is None else max(0, found)

    def lost(self, index: int) -> float | None:
        """Seconds that the failure before this attempt cost: from its checkpoint to its start.

        An attempt that started without a checkpoint repeats the one before it from its beginning.
        """
        row = self.rows[index]
        since = row.saved
        if index and row.checkpoint is None:
            since = self.rows[index - 1].began
        is_after_failure = index > 0 and self.rows[index - 1].ended != "complete"
        if not is_after_failure or since is None or row.began is None:
            return None
        return max(0.0, row.began - since)


def _of_fingerprint(manifest: Manifest | None) -> int | None:
    """The batches of an epoch, as an earlier version of rekindle has them, too."""
    found = None if manifest is None else manifest.state.get("fingerprint")
    return _count(found.get("batches in an epoch")) or None if isinstance(found, dict) else None


def _in_order(rows: Mapping[int, Attempt]) -> list[Attempt]:
    return [rows[number] for number in sorted(rows)]


def _ascending(rows: list[Attempt]) -> list[Attempt]:
    return _in_order({row.number: row for row in rows})


def _noted(row: Attempt, record: Record) -> Attempt:
    """The row with what a record of its start, or of its end, says."""
    place, time = (record.epoch, record.batch), _time(record.loss)
    if record.kind & STEP:
        # More exact than the pulse, which is up to a second old; but it has no time.
        if row.began is None and place < row.start:
            row = dataclasses.replace(row, epoch=record.epoch, batch=record.batch)
        return _reached(row, (record.epoch, record.batch + 1), None, row.ended)
    if record.kind == END:
        state = witness.STATES.get(record.digest, "unknown")
        return _reached(row, place, time, state)
    if row.began is not None:
        return row
    number = None if record.digest == witness.NO_CHECKPOINT else record.digest
    row = _reached(row, place, time, row.ended)
    return dataclasses.replace(
        row, began=time, checkpoint=number, epoch=record.epoch, batch=record.batch
    )


def _reached(row: Attempt, place: tuple[int, int], time: float | None, state: str) -> Attempt:
    """The row, seen at this place. Its checkpoint may have been further on: a pulse is slower."""
    epoch, batch = max(place, row.end)
    until = max((one for one in (row.until, time) if one is not None), default=None)
    return dataclasses.replace(row, to_epoch=epoch, to_batch=batch, until=until, ended=state)


def _attempt(row: Any) -> Attempt | None:
    if not isinstance(row, dict) or not _count(row.get("number")):
        return None
    counts = {name: _count(row.get(name)) for name in ("epoch", "batch", "to_epoch", "to_batch")}
    if None in counts.values():
        return None
    ended, evidence = row.get("ended"), row.get("evidence")
    return Attempt(
        number=row["number"],
        began=_time(row.get("began")),
        checkpoint=_count(row.get("checkpoint")),
        saved=_time(row.get("saved")),
        until=_time(row.get("until")),
        ended=ended if ended in ENDS else "unknown",
        held=max(0.0, _time(row.get("held")) or 0.0),
        evidence=evidence if evidence in _EVIDENCE else None,
        **{name: count or 0 for name, count in counts.items()},
    )


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < layout.COUNT_LIMIT else None


def _time(value: Any) -> float | None:
    is_number = type(value) in (int, float) and abs(value) <= layout.LAST_TIME
    return float(value) if is_number else None
