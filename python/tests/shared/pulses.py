"""Witness files as fit() leaves them, for tests without Keras."""

from __future__ import annotations

from rekindle._format import layout, witness
from rekindle._format.witness import Pulse

# A moment, in POSIX seconds.
THEN = 1_700_000_000.0


def pulse(epoch, batch, at, *, attempt=1, state="running", epochs=5, batches=10, loss=0.5):
    return Pulse(state, attempt, epoch, batch, epochs, batches, THEN + at, loss)


def write(home, beat=None, records=()):
    """Writes the file `ckpt.witness`, with a pulse and with records of (kind, attempt, ...)."""
    head = witness.HEADER.ljust(witness.PULSE_AT, b"\0")
    head += bytes(40) if beat is None else witness.pulse(beat)
    rows = b"".join(witness.record(*record) for record in records)
    (home / layout.WITNESS).write_bytes((head + rows).ljust(witness.FILE, b"\0"))
