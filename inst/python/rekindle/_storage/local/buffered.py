"""A file written through the system's cache, to a disk that begins to write at once."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterable
from typing import Any

from rekindle._base import linux
from rekindle._storage.local import fs

# Whoever writes is asked to wait for nothing smaller; the disk gets such pieces to work on.
_PIECE = 8 << 20


# Linux' SYNC_FILE_RANGE_WRITE: begin to write, wait for nothing. The flags that wait would also
# take the error that fsync() is to tell of.
_BEGIN_WRITING = 2


def write(fd: int, chunks: Iterable[memoryview]) -> None:
    """Writes the chunks, one after the other from the file's beginning on, not synced.

    The system would else begin to write when it is asked to sync: after the last byte is there.
    """
    begun = written = 0
    for chunk in chunks:
        for start in range(0, len(chunk), _PIECE):
            piece = chunk[start : start + _PIECE]
            fs.write_all(fd, piece)
            written += len(piece)
            if written - begun >= _PIECE:
                _begin_writing(fd, begun, written - begun)
                begun = written


def _begin_writing(fd: int, offset: int, length: int) -> None:
    call = _sync_file_range()
    if call is not None:
        # Whatever it answers: it is a hint, and fsync() tells the errors of writing.
        call(fd, offset, length, _BEGIN_WRITING)


@functools.cache
def _sync_file_range() -> Any:
    types = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return linux.call("sync_file_range", types)
