"""Writes the file `ckpt.witness`: what a fit() saw last, in records that are written in place.

The file is evidence, and not state. It is never synced: a power cut may lose any part of it.
"""

from __future__ import annotations

import contextlib

from rekindle._format import layout, witness
from rekindle._format.witness import STEP, Pulse, Record
from rekindle._repository import index
from rekindle._storage.protocol import FileInPlace, Storage


class Ring:
    """The newest records of a fit(). Without a file it keeps none: evidence must not end training.

    Args:
        storage: The folder, whose lock the caller holds; ``None``: nothing is kept.

    Attributes:
        attempt: The number of the attempt, which is written into each record.
        loss: The newest loss that was added, or ``None``.
    """

    def __init__(self, storage: Storage | None) -> None:
        self._storage = storage
        self._file: FileInPlace | None = None
        self._is_open = False
        self._next = 0
        self.attempt = 0
        self.loss: float | None = None

    def read(self) -> list[Record]:
        """The whole records of the file, in no order; none if there is no file of ours."""
        return list(witness.records(self._read()))

    def read_pulse(self) -> Pulse | None:
        """The pulse of the last attempt that wrote one."""
        return witness.read_pulse(self._read()[: witness.BEGIN])

    def _read(self) -> bytes:
        if self._storage is not None:
            with contextlib.suppress(OSError):
                return self._storage.read(layout.WITNESS, witness.FILE)
        return b""

    def add(self, kind: int, epoch: int, batch: int, digest: int, loss: float) -> None:
        """Adds a record, in place of the oldest."""
        if kind & STEP:
            self.loss = loss
        self.add_of(self.attempt, kind, epoch, batch, digest, loss)

    def add_of(
        self, attempt: int, kind: int, epoch: int, batch: int, digest: int, loss: float
    ) -> None:
        """The same for a record of another attempt."""
        data = witness.record(kind, attempt, epoch, batch, digest, loss)
        if data:
            self._write(witness.BEGIN + self._next * witness.SIZE, data)
            self._next = (self._next + 1) % witness.COUNT

    def beat(self, pulse: Pulse) -> None:
        """Writes the pulse, in place of the one before."""
        self._write(witness.PULSE_AT, witness.pulse(pulse))

    def _write(self, offset: int, data: bytes) -> None:
        if not self._is_open:
            self._open()
        if self._file is None:
            return
        try:
            self._file.write(offset, data)
        except OSError:
            self.close()

    def clear(self) -> None:
        """Forgets all records: they are of another run."""
        self.close()
        self._is_open, self._next = False, 0
        if self._storage is None:
            return
        with contextlib.suppress(OSError):
            if index.witness_is_ours(self._storage):
                self._storage.remove(layout.WITNESS)

    def _open(self) -> None:
        """Opens the file; makes it if there is none. A foreign file stays as it is."""
        self._is_open, storage = True, self._storage
        if storage is None:
            return
        with contextlib.suppress(OSError):
            status = storage.status(layout.WITNESS)
            if status is not None and not index.witness_is_ours(storage):
                return
            if status is None or status.size != witness.FILE or not _begins_well(storage):
                header = witness.HEADER.ljust(witness.BEGIN, b"\0")
                storage.put_hint(layout.WITNESS, header.ljust(witness.FILE, b"\0"))
            self._file = storage.write_in_place(layout.WITNESS)

    def close(self) -> None:
        """Closes the file; its records stay. Nothing is added any more."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _begins_well(storage: Storage) -> bool:
    return storage.read_part(layout.WITNESS, 0, len(witness.HEADER)) == witness.HEADER
