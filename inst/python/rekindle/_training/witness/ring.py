"""The file `ckpt.witness`: what a fit() saw last, in records that are written in place.

The file is evidence, and not state. It is never synced: a power cut may lose any part of it. Each
record has a check of its own, so a record that is torn counts as none.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import xxhash

from rekindle._format import layout
from rekindle._repository import index
from rekindle._storage.protocol import FileInPlace, Storage

# The kinds of records: a batch that was read, the result of a step, both, and the end of an epoch.
BATCH, STEP, EPOCH = 1, 2, 4

_HEADER = layout.WITNESS_MAGIC + b"1}\n"
_BEGIN = 64
# Kind, 0, epoch, batch, digest, loss; then their XXH3-64.
_BODY = struct.Struct("<HHIIQd")
_SIZE = _BODY.size + 8
_COUNT = 4096
_FILE = _BEGIN + _COUNT * _SIZE
_LIMIT = 1 << 32


@dataclass(frozen=True)
class Record:
    """One record.

    Attributes:
        kind: The sum of the kinds that it has.
        epoch: The epoch, counted from 0.
        batch: The batch of the epoch, counted from 0.
        digest: The digest of the batch, or of the epoch's logs.
        loss: The loss after this batch.
    """

    kind: int
    epoch: int
    batch: int
    digest: int
    loss: float


class Ring:
    """The newest records of a fit(). Without a file it keeps none: evidence must not end training.

    Args:
        storage: The folder, whose lock the caller holds; ``None``: nothing is kept.
    """

    def __init__(self, storage: Storage | None) -> None:
        self._storage = storage
        self._file: FileInPlace | None = None
        self._is_open = False
        self._next = 0

    def read(self) -> list[Record]:
        """The whole records of the file, in no order; none if there is no file of ours."""
        data = b""
        if self._storage is None:
            return []
        with contextlib.suppress(OSError):
            data = self._storage.read(layout.WITNESS, _FILE)
        return list(_records(data)) if data.startswith(_HEADER) else []

    def add(self, kind: int, epoch: int, batch: int, digest: int, loss: float) -> None:
        """Adds a record, in place of the oldest."""
        if not self._is_open:
            self._open()
        if self._file is None or epoch >= _LIMIT or batch >= _LIMIT:
            return
        body = _BODY.pack(kind, 0, epoch, batch, digest, loss)
        try:
            self._file.write(_BEGIN + self._next * _SIZE, body + xxhash.xxh3_64_digest(body))
        except OSError:
            self.close()
        self._next = (self._next + 1) % _COUNT

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
            if status is None or status.size != _FILE or not _begins_well(storage):
                header = _HEADER.ljust(_BEGIN, b"\0")
                storage.put_hint(layout.WITNESS, header.ljust(_FILE, b"\0"))
            self._file = storage.write_in_place(layout.WITNESS)

    def close(self) -> None:
        """Closes the file; its records stay. Nothing is added any more."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _begins_well(storage: Storage) -> bool:
    return storage.read_part(layout.WITNESS, 0, len(_HEADER)) == _HEADER


def _records(data: bytes) -> Iterator[Record]:
    for start in range(_BEGIN, len(data) - _SIZE + 1, _SIZE):
        body = data[start : start + _BODY.size]
        check = data[start + _BODY.size : start + _SIZE]
        # A record that was never written is all zeros, and their digest is another.
        if check == xxhash.xxh3_64_digest(body):
            kind, _, epoch, batch, digest, loss = _BODY.unpack(body)
            yield Record(kind, epoch, batch, digest, loss)
