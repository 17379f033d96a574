"""The files of the `BackupAndRestore` of Keras 3: finds and reads them.

Keras keeps weights and optimizer in ``latest.weights.h5`` and the epoch in
``training_metadata.json``. With `double_checkpoint`, it also keeps the previous pair, with ``.bkp``
at the end of the names. This module only reads these files. It writes one file, which is our own.
The adapter of Keras 3 resumes from them, and that of Keras 2 refuses them.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

from rekindle._storage.local import by_descriptor, fs, guard
from rekindle._training import settled

WEIGHTS = "latest.weights.h5"
METADATA = "training_metadata.json"

# Newest first.
PAIRS = ((WEIGHTS, METADATA), (WEIGHTS + ".bkp", METADATA + ".bkp"))

_IN_ORDER = [name for pair in PAIRS for name in pair]

NAMES = frozenset(_IN_ORDER)

_LARGEST_METADATA = 1 << 20

# More epochs, or batches, than any training has.
_MOST = 1 << 53


class UnusableError(Exception):
    """A pair of Keras' files is not complete."""


@dataclass(frozen=True)
class Pair:
    """A backup by Keras, with the values of its metadata.

    Attributes:
        folder: The folder.
        weights: The name of the file with the weights.
        metadata: The name of the file with the epoch.
        path: The weights under a name that ends as Keras requires, and that leads to the file that
            was opened, even if another file has its name by now.
        size: The size of the weights, in bytes.
        epoch: The epoch.
        batch: The batch.
        written: When the two files were written, in nanoseconds.
    """

    folder: str
    weights: str
    metadata: str
    path: str
    size: int
    epoch: int
    batch: int
    written: tuple[int, int]


def present(folder: str) -> list[str]:
    """The names of Keras' files that are in the folder, newest pair first."""
    return [name for name in _IN_ORDER if fs.exists(os.path.join(folder, name))]


@contextlib.contextmanager
def opened(folder: str, weights: str, metadata: str) -> Iterator[Pair]:
    """Opens a backup's weights, and reads its metadata.

    Raises:
        UnusableError: A file is missing, is no regular file, or does not have the form that Keras
            gives it; or, at the end, another program changed the weights meanwhile.
        ForeignFileError: A file belongs to another user.
    """
    for name, other in ((weights, metadata), (metadata, weights)):
        if not fs.exists(os.path.join(folder, name)):
            beside = " beside " + other if fs.exists(os.path.join(folder, other)) else ""
            raise UnusableError(f"{name} is missing{beside}")
    # A link would lead out of the folder, and Keras would wait at a FIFO.
    fd, size = _open(folder, weights)
    with fs.closing(fd):
        (epoch, batch), written = _read_metadata(folder, metadata)
        before = _state(fd)
        with by_descriptor.named({WEIGHTS: fd}) as private:
            path = os.path.join(private, WEIGHTS)
            times = (os.fstat(fd).st_mtime_ns, written)
            yield Pair(folder, weights, metadata, path, size, epoch, batch, times)
        if _state(fd) != before:
            raise UnusableError(f"{weights} was changed by another program while it was read")


def _open(folder: str, name: str) -> tuple[int, int]:
    try:
        fd, size = fs.open_regular(os.path.join(folder, name))
    except OSError as error:
        raise UnusableError(f"{name} cannot be read ({error})") from error
    try:
        # Another user may have replaced it since the files of the folder were looked at.
        guard.refuse_other(folder, fd, name)
    except BaseException:
        fs.close(fd)
        raise
    return fd, size


def _state(fd: int) -> tuple[int, int, int]:
    # No program can set the time of the last change to an earlier one.
    status = os.fstat(fd)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _read_metadata(folder: str, name: str) -> tuple[tuple[int, int], int]:
    """The epoch and the batch, and when they were written."""
    fd, size = _open(folder, name)
    with fs.closing(fd):
        if size > _LARGEST_METADATA:
            raise UnusableError(f"{name} is larger than {_LARGEST_METADATA} bytes")
        written = os.fstat(fd).st_mtime_ns
        text = fs.read_whole(fd, size)
    try:
        values = json.loads(text)
        counts = (values["epoch"], values.get("batch", 0))
        if all(type(count) is int and 0 <= count < _MOST for count in counts):
            return counts, written
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise UnusableError(
        f"{name} is half-written or not from Keras; it should have the form"
        ' {"epoch": 3, "batch": 0}, with the epoch (counted from 0) to resume at'
    )


def settle(folder: str) -> None:
    """Notes in the folder that the run which Keras' files back up is complete."""
    settled.settle(folder, settled.digests(folder, _IN_ORDER))


def is_settled(folder: str) -> bool:
    return settled.is_settled(folder, _IN_ORDER)


def is_backup(names: list[str]) -> bool:
    """Whether these are more than the beginning of a backup."""
    return any(metadata in names for _, metadata in PAIRS)
