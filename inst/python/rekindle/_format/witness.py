"""The bytes of the file `ckpt.witness`: its records, and the pulse of the run. Without I/O.

After the first line comes the pulse, which is written anew while the run goes on; then come the
records, each in place of the oldest. Each of them has a check of its own, so one that is torn
counts as none. An older rekindle skips the pulse and the kinds of records that it does not know.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import xxhash

from rekindle._format import layout

# The kinds of records: a batch that was read, the result of a step, both, and the end of an epoch;
# the start of an attempt, and the end of an attempt as the next one found it; the first difference
# of an attempt from the one before it.
BATCH, STEP, EPOCH, START, END, DIFFERENCE = 1, 2, 4, 8, 16, 32

HEADER = layout.WITNESS_MAGIC + b"1}\n"
# Where the pulse is, and where the records begin.
PULSE_AT, BEGIN = 24, 64
COUNT = 4096

# Kind, attempt, epoch, batch, digest, loss; then their XXH3-64.
_BODY = struct.Struct("<HHIIQd")
SIZE = _BODY.size + 8
FILE = BEGIN + COUNT * SIZE

# State, attempt, epoch, batch, epochs, batches, time, loss; then their XXH3-64: 40 bytes.
_PULSE = struct.Struct("<HHIIIIdf")
# Added to the state if there is a loss. A loss may be NaN.
_HAS_LOSS = 256

# An attempt that goes on, or how it has ended, by the number in the file.
STATES = {1: "running", 2: "complete", 3: "preempted", 4: "stopped", 5: "died"}
_NUMBERS = {state: number for number, state in STATES.items()}

# In a record of a start: no checkpoint. In one of a difference: no batch.
NO_CHECKPOINT, NO_BATCH = 2**64 - 1, 2**32 - 1
_MOST, _MOST_ATTEMPTS = 2**32 - 1, 2**16 - 1


@dataclass(frozen=True)
class Record:
    """One record.

    Attributes:
        kind: The sum of the kinds that it has.
        epoch: The epoch, counted from 0.
        batch: The batch of the epoch, counted from 0. Of an attempt: how many are done.
        digest: The digest of the batch, or of the epoch's logs. Of a start: the number of the
            checkpoint. Of an end: the number of its state. Of a difference: what differs, by its
            index.
        loss: The loss after this batch. Of a start or an end: its time, in POSIX seconds.
        attempt: The number of the attempt, from 1; 0 if an older version wrote the record.
    """

    kind: int
    epoch: int
    batch: int
    digest: int
    loss: float
    attempt: int = 0


@dataclass(frozen=True)
class Pulse:
    """Where a run is.

    Attributes:
        state: One of the values of `STATES`.
        attempt: The number of the attempt, from 1.
        epoch: Whole epochs done.
        batch: Batches done of the next epoch.
        epochs: How many epochs the run has; ``None`` if that is not known.
        batches: How many batches an epoch has, or ``None``.
        time: When this was written, in POSIX seconds.
        loss: The loss after the last batch that was looked at, or ``None``.
    """

    state: str
    attempt: int
    epoch: int
    batch: int
    epochs: int | None
    batches: int | None
    time: float
    loss: float | None


def record(kind: int, attempt: int, epoch: int, batch: int, digest: int, loss: float) -> bytes:
    """The bytes of a record; empty if its numbers are too large for one."""
    if epoch > _MOST or batch > _MOST:
        return b""
    body = _BODY.pack(kind, min(attempt, _MOST_ATTEMPTS), epoch, batch, digest, loss)
    return body + xxhash.xxh3_64_digest(body)


def pulse(now: Pulse) -> bytes:
    """The bytes of the pulse."""
    counts = (now.epoch, now.batch, now.epochs or 0, now.batches or 0)
    loss = now.loss or 0.0
    # The struct refuses a larger float of 32 bits.
    if math.isfinite(loss) and abs(loss) > _FLOAT_MAX:
        loss = math.copysign(math.inf, loss)
    body = _PULSE.pack(
        _NUMBERS[now.state] + (0 if now.loss is None else _HAS_LOSS),
        min(now.attempt, _MOST_ATTEMPTS),
        *(min(max(count, 0), _MOST) for count in counts),
        now.time,
        loss,
    )
    return body + xxhash.xxh3_64_digest(body)


_FLOAT_MAX = 3.4e38


def state_number(state: str) -> int:
    return _NUMBERS[state]


def read_pulse(head: bytes) -> Pulse | None:
    """The pulse in the first bytes of a file; ``None`` if there is none, or it is torn."""
    body = head[PULSE_AT : PULSE_AT + _PULSE.size]
    check = head[PULSE_AT + _PULSE.size : BEGIN]
    if not head.startswith(HEADER) or xxhash.xxh3_64_digest(body) != check:
        return None
    number, attempt, epoch, batch, epochs, batches, time, loss = _PULSE.unpack(body)
    # Anyone may have written the file: a check shows only that these bytes belong together.
    state = STATES.get(number & ~_HAS_LOSS)
    if state is None or not abs(time) <= layout.LAST_TIME:
        return None
    known = loss if number & _HAS_LOSS else None
    return Pulse(state, attempt, epoch, batch, epochs or None, batches or None, time, known)


def records(data: bytes) -> Iterator[Record]:
    """The whole records of a file, in the order of their places."""
    if not data.startswith(HEADER):
        return
    for start in range(BEGIN, len(data) - SIZE + 1, SIZE):
        body = data[start : start + _BODY.size]
        check = data[start + _BODY.size : start + SIZE]
        # A record that was never written is all zeros, and their digest is another.
        if check == xxhash.xxh3_64_digest(body):
            kind, attempt, epoch, batch, digest, loss = _BODY.unpack(body)
            yield Record(kind, epoch, batch, digest, loss, attempt)
