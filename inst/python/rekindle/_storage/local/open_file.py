"""Open files: a pack for reading, past the cache if needed; and a file for writes in place."""

from __future__ import annotations

import contextlib
import os

from rekindle._format import layout
from rekindle._storage.local import direct_io, fs
from rekindle._storage.local.page_cache import Cached


class OpenFile:
    """An open file. Threads must not share it: they would move the position of its descriptor.

    Args:
        fd: The file, open for reading.
        size: The file's size in bytes.
    """

    def __init__(self, fd: int, size: int) -> None:
        self.size = size
        self._fd = fd
        self._cached: Cached | None = None

    def expect(self, start: int, stop: int) -> None:
        """The system reads ahead by itself."""

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fills `buffer` from `offset` on; returns the number of bytes, fewer if the file ends.

        On a machine that has just started, the pages of the cache would cost more than the disk.
        So data that is not cached is read past the cache, if the file is large, and if the system
        can do so and can tell which data is cached.
        """
        done = self._read_past(buffer, offset) if self.size >= layout.LARGE_PACK else 0
        return done + fs.read_into(self._fd, buffer[done:], offset + done)

    def _read_past(self, buffer: memoryview, offset: int) -> int:
        size = direct_io.whole_blocks(buffer, offset)
        if not size:
            return 0
        if self._cached is None:
            self._cached = Cached(self._fd)
        return 0 if self._cached.has(offset, size) else direct_io.read(self._fd, buffer, offset)

    def close(self) -> None:
        """Unmaps the file; its descriptor stays open."""
        if self._cached is not None:
            self._cached.close()


class InPlace:
    """See :class:`rekindle._storage.protocol.FileInPlace`.

    It is not mapped into memory: if the disk is full or the file is cut off, a write into a mapped
    file ends the process, where this write raises an error.

    Args:
        fd: The file, open for writing. It is closed with this object.
    """

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd

    def write(self, offset: int, data: bytes) -> None:
        if self._fd is not None:
            os.pwrite(self._fd, data, offset)

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):
                fs.close(fd)

    def __del__(self) -> None:
        self.close()
