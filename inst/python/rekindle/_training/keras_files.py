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
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from rekindle._storage.local import fs
from rekindle._training import settled

WEIGHTS = "latest.weights.h5"
METADATA = "training_metadata.json"

# Newest first.
PAIRS = ((WEIGHTS, METADATA), (WEIGHTS + ".bkp", METADATA + ".bkp"))

NAMES = frozenset(name for pair in PAIRS for name in pair)

_LARGEST_METADATA = 1 << 20


class UnusableError(Exception):
    """A pair of Keras' files is not complete."""


@dataclass(frozen=True)
class Pair:
    """A backup by Keras, with the values of its metadata."""

    folder: str
    weights: str
    metadata: str
    epoch: int
    batch: int

    @property
    def path(self) -> str:
        return os.path.join(self.folder, self.weights)

    def written(self) -> tuple[int, int]:
        """When its two files were written, in nanoseconds."""
        names = (self.weights, self.metadata)
        first, second = (os.stat(os.path.join(self.folder, name)).st_mtime_ns for name in names)
        return first, second


def present(folder: str) -> list[str]:
    """The names of Keras' files that are in the folder, newest pair first."""
    return [name for pair in PAIRS for name in pair if fs.exists(os.path.join(folder, name))]


def read_pair(folder: str, weights: str, metadata: str) -> Pair:
    for name, other in ((weights, metadata), (metadata, weights)):
        if not fs.exists(os.path.join(folder, name)):
            beside = " beside " + other if fs.exists(os.path.join(folder, other)) else ""
            raise UnusableError(f"{name} is missing{beside}")
    _refuse_what_is_no_file(folder, weights)
    try:
        text = fs.read_file(os.path.join(folder, metadata), _LARGEST_METADATA)
        values = json.loads(text)
        epoch, batch = values["epoch"], values.get("batch", 0)
        counts = all(type(count) is int and count >= 0 for count in (epoch, batch))
    except OSError as error:
        raise UnusableError(f"{metadata} cannot be read ({error})") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        counts = False
    if not counts:
        raise UnusableError(
            f"{metadata} is half-written or not from Keras; it should have the form"
            ' {"epoch": 3, "batch": 0}, with the epoch (counted from 0) to resume at'
        )
    return Pair(folder, weights, metadata, epoch, batch)


def _refuse_what_is_no_file(folder: str, weights: str) -> None:
    """Refuses a FIFO (Keras would wait) and a link (Keras would follow it out of the folder)."""
    try:
        fd, size = fs.open_regular(os.path.join(folder, weights))
    except OSError as error:
        raise UnusableError(f"{weights} cannot be read ({error})") from error
    fs.close(fd)
    if size > settled.LARGEST_FILE:
        raise UnusableError(f"{weights} is larger than {settled.LARGEST_FILE} bytes")


@contextlib.contextmanager
def under_keras_name(pair: Pair) -> Iterator[str]:
    """A path of the weights with the ending that Keras requires."""
    if pair.weights == WEIGHTS:
        yield pair.path
        return
    with tempfile.TemporaryDirectory(prefix="rekindle-") as folder:
        path = os.path.join(folder, WEIGHTS)
        try:
            os.symlink(os.path.abspath(pair.path), path)
        # Windows allows only few users to make links.
        except (OSError, NotImplementedError):
            shutil.copyfile(pair.path, path)
        yield path


def settle(folder: str) -> None:
    """Notes in the folder that the run which Keras' files back up is complete."""
    settled.settle(folder, _digests(folder))


def is_settled(folder: str) -> bool:
    return settled.is_settled(folder, _digests(folder))


def is_backup(names: list[str]) -> bool:
    """Whether these are more than the beginning of a backup."""
    return any(metadata in names for _, metadata in PAIRS)


def _digests(folder: str) -> dict[str, str]:
    return settled.digests(folder, (name for pair in PAIRS for name in pair))
