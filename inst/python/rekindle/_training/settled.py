"""Notes in a folder that the run is complete which another callback's files there back up."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import xxhash

from rekindle._format import layout
from rekindle._storage.local import fs
from rekindle._storage.protocol import NotRegularError, TooLargeError
from rekindle.errors import TakeoverWarning

_LARGEST_NOTE = 1 << 20
# Larger than any model that is written into one file. A sparse file may claim any size.
_LARGEST_FILE = 1 << 38
_CHUNK = 1 << 20

# A larger file with a thousandth of its bytes on the disk is no model. It costs nothing to make,
# and minutes to read.
_MAY_BE_SPARSE = 1 << 30
_LEAST_SHARE = 1000


def settle(folder: str, digests: Mapping[str, str]) -> None:
    """Notes that rekindle has finished with these files. A failure is a warning.

    Args:
        folder: The folder.
        digests: For each of the files, by name, a digest.
    """
    try:
        marker = os.path.join(folder, layout.SETTLED)
        temporary = os.path.join(folder, f".{layout.SETTLED}.tmp")
        if not digests:
            return
        if fs.exists(marker) and _read(folder) is None:
            raise FileExistsError(f"{marker!r} is a file that rekindle did not write")
        text = json.dumps({"rekindle_takeover": 1, "files": digests}, separators=(",", ":"))
        fs.remove(temporary)
        fs.write_new(temporary, text.encode() + b"\n")
        fs.rename(temporary, marker)
        fs.sync_folder(folder)
    except OSError as error:
        names = " and ".join(repr(name) for name in list(digests)[:2])
        warnings.warn(
            TakeoverWarning(
                f"rekindle could not record in {folder!r} that the run which Keras' own callback"
                f" backed up there is complete: {error}. Move {names} away."
                " Otherwise the next run in that folder resumes from them.",
                directory=folder,
            ),
            stacklevel=2,
        )


def is_settled(folder: str, names: Iterable[str]) -> bool:
    """Whether rekindle noted that it has finished with the files of these names, as they are."""
    saved = _read(folder)
    # The digests last: they read all of the files.
    return saved is not None and saved == digests(folder, names)


def _read(folder: str) -> Any:
    """The digests that :func:`settle` noted; ``None`` if there is no such file."""
    try:
        text = fs.read_file(os.path.join(folder, layout.SETTLED), _LARGEST_NOTE)
        return json.loads(text)["files"] if text.startswith(layout.SETTLED_MAGIC) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def digests(folder: str, names: Iterable[str]) -> dict[str, str]:
    """A digest of each of the files that is there."""
    found = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError, NotRegularError, TooLargeError):
            found[name] = _digest(os.path.join(folder, name))
    return found


def _digest(path: str) -> str:
    digest = xxhash.xxh3_128()
    fd, size = fs.open_regular(path)
    with fs.closing(fd):
        if size > _LARGEST_FILE or _is_sparse(os.fstat(fd)):
            raise TooLargeError(errno.EFBIG, "larger than any model", path)
        while chunk := os.read(fd, _CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _is_sparse(status: os.stat_result) -> bool:
    # Windows does not know.
    blocks: int | None = getattr(status, "st_blocks", None)
    if blocks is None or status.st_size <= _MAY_BE_SPARSE:
        return False
    return blocks * 512 * _LEAST_SHARE < status.st_size
