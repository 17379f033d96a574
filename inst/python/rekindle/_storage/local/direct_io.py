"""Writes large packs past the system's cache, straight from memory, and reads them past it.

To write through the cache, the processors must allocate and fill its pages, and training needs
these processors. For a write past the cache, the disk fetches the data by itself. On two
processors, beside a training that used both, a save of 400 MB cost training 0.2 s through the cache
and 0.07 s past it. However, a restart finds in memory only the data in the cache: see
:mod:`rekindle._storage.local.page_cache`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from rekindle._base import memory, tuning
from rekindle._format import layout
from rekindle._storage.local import buffered, fs

# The size of one write, large enough to keep the disk busy.
_PIECE = 8 << 20

# The size of the buffer for data that is not aligned in memory as the disk requires.
_ROOM = 4 << 20

# The errors of a system that refuses to write past its cache, or from that memory.
_NOT_DIRECT = {errno.EINVAL, errno.ENOTSUP}


class Direct:
    """Writes a file from its beginning, past the system's cache if the system allows that.

    open(2) warns of a fork during direct writes. A fork does no harm here: no code writes into the
    memory that the disk reads from.

    Args:
        fd: The file, open for writing.

    Attributes:
        works: Whether all data so far went past the cache.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._room = memory.room(_ROOM, huge=False)
        self._held = 0
        self.works = tuning.uses(tuning.DIRECT_IO) and fs.set_direct(fd, True)

    def write(self, chunks: Iterable[memoryview]) -> None:
        """Writes the chunks in order; does not sync them."""
        if not self.works:
            buffered.write(self._fd, chunks)
            return
        for chunk in chunks:
            rest = self._take_blocks(chunk)
            while len(rest):
                rest = rest[self._gather(rest) :]
                if self._held == _ROOM:
                    self._flush(_ROOM)
        self._flush(self._held // layout.BLOCK * layout.BLOCK)
        # The end of the file is not a whole block, so it cannot go past the cache.
        fs.set_direct(self._fd, False)
        fs.write_all(self._fd, self._view(0, self._held))

    def _take_blocks(self, chunk: memoryview) -> memoryview:
        """Writes the whole blocks of an aligned chunk without a copy; returns the rest."""
        size = len(chunk) // layout.BLOCK * layout.BLOCK
        at_blocks = self._held % layout.BLOCK == 0 and memory.address(chunk) % layout.BLOCK == 0
        if not (self.works and size and at_blocks):
            return chunk
        self._flush(self._held)
        for start in range(0, size, _PIECE):
            self._put(chunk[start : min(start + _PIECE, size)])
        return chunk[size:]

    def _gather(self, data: memoryview) -> int:
        count = min(len(data), _ROOM - self._held)
        self._room[self._held : self._held + count] = np.frombuffer(data[:count], np.uint8)
        self._held += count
        return count

    def _flush(self, size: int) -> None:
        """Writes `size` of the gathered bytes, and moves the rest to the front of the buffer."""
        if not size:
            return
        self._put(self._view(0, size))
        left = self._held - size
        self._room[:left] = self._room[size : self._held].copy()
        self._held = left

    def _view(self, start: int, stop: int) -> memoryview:
        room: Any = self._room[start:stop]
        return memoryview(room)

    def _put(self, data: memoryview) -> None:
        done = 0
        if self.works:
            try:
                done = os.write(self._fd, data)
            except OSError as error:
                if error.errno not in _NOT_DIRECT:
                    raise
            if done < len(data):
                # The rest begins inside a block, or the system refuses direct writes.
                self.works = False
                fs.set_direct(self._fd, False)
        fs.write_all(self._fd, data[done:])


def whole_blocks(buffer: memoryview, offset: int) -> int:
    """How many bytes :func:`read` can read into the buffer; 0 if the memory is not aligned."""
    if offset % layout.BLOCK or memory.address(buffer) % layout.BLOCK:
        return 0
    return len(buffer) // layout.BLOCK * layout.BLOCK


def read(fd: int, buffer: memoryview, offset: int) -> int:
    """Reads the buffer's whole blocks past the cache; returns how many bytes it could read.

    No other reader may use this descriptor meanwhile.
    """
    if not tuning.uses(tuning.DIRECT_IO) or not fs.set_direct(fd, True):
        return 0
    try:
        return os.preadv(fd, [buffer[: whole_blocks(buffer, offset)]], offset)
    except OSError:
        # The normal read that follows reports a true error.
        return 0
    finally:
        fs.set_direct(fd, False)
