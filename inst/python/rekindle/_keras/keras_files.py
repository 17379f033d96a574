"""The files of Keras' own `BackupAndRestore`: finds and reads them.

Keras keeps weights and optimizer in ``latest.weights.h5`` and the epoch in
``training_metadata.json``. With `double_checkpoint`, it also keeps the previous pair, with ``.bkp``
at the end of the names. This module only reads these files. It writes one file, which is our own.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import xxhash

from rekindle._format import layout
from rekindle._storage.local import fs
from rekindle._storage.protocol import NotRegularError, TooLargeError
from rekindle.errors import TakeoverWarning

WEIGHTS = "latest.weights.h5"
METADATA = "training_metadata.json"

# Newest first.
PAIRS = ((WEIGHTS, METADATA), (WEIGHTS + ".bkp", METADATA + ".bkp"))

NAMES = frozenset(name for pair in PAIRS for name in pair)

_LARGEST_METADATA = 1 << 20
# Larger than any model that Keras writes into one file. A sparse file may claim any size.
_LARGEST_WEIGHTS = 1 << 38
_CHUNK = 1 << 20


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
    if size > _LARGEST_WEIGHTS:
        raise UnusableError(f"{weights} is larger than {_LARGEST_WEIGHTS} bytes")


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
    try:
        digests = _digests(folder)
        marker = os.path.join(folder, layout.SETTLED)
        temporary = os.path.join(folder, f".{layout.SETTLED}.tmp")
        if not digests:
            return
        if fs.exists(marker) and _read_settled(folder) is None:
            raise FileExistsError(f"{marker!r} is a file that rekindle did not write")
        text = json.dumps({"rekindle_takeover": 1, "files": digests}, separators=(",", ":"))
        fs.remove(temporary)
        fs.write_new(temporary, text.encode() + b"\n")
        fs.rename(temporary, marker)
        fs.sync_folder(folder)
    except OSError as error:
        warnings.warn(
            TakeoverWarning(
                f"rekindle could not record in {folder!r} that the run which Keras' own callback"
                f" backed up there is complete: {error}. Move {WEIGHTS!r} and {METADATA!r} away."
                " Otherwise the next run in that folder resumes from them.",
                directory=folder,
            ),
            stacklevel=2,
        )


def is_settled(folder: str) -> bool:
    saved = _read_settled(folder)
    return saved is not None and saved == _digests(folder)


def _read_settled(folder: str) -> Any:
    """The digests that :func:`settle` noted; ``None`` if there is no such file."""
    try:
        text = fs.read_file(os.path.join(folder, layout.SETTLED), _LARGEST_METADATA)
        return json.loads(text)["files"] if text.startswith(layout.SETTLED_MAGIC) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _digests(folder: str) -> dict[str, str]:
    found = {}
    for name in (name for pair in PAIRS for name in pair):
        with contextlib.suppress(FileNotFoundError, NotRegularError, TooLargeError):
            found[name] = _digest(os.path.join(folder, name))
    return found


def _digest(path: str) -> str:
    digest = xxhash.xxh3_128()
    fd, size = fs.open_regular(path)
    with fs.closing(fd):
        if size > _LARGEST_WEIGHTS:
            raise TooLargeError(errno.EFBIG, f"larger than {_LARGEST_WEIGHTS} bytes", path)
        while chunk := os.read(fd, _CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
