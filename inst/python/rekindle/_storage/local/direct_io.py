"""Writes large packs past the system's cache, straight from memory, then reads them into it.

To write through the cache, the processors must allocate and fill its pages, and training needs
these processors. For a write past the cache, the disk fetches the data by itself. On two
processors, beside a training that used both, a save of 400 MB cost training 0.2 s through the cache
and 0.07 s past it. However, a restart finds in memory only the data in the cache, so rekindle then
reads the written packs into the cache. That costs training another 0.07 s, so rekindle does it only
within an allowance of time. A restart reads the data that is not in the cache past the cache, too.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import mmap
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from rekindle._base import linux, memory
from rekindle._format import layout
from rekindle._storage.local import buffered, fs

# The system writes less than this into its cache in almost no time.
LEAST = 16 << 20

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
        self.works = fs.set_direct(fd, True)

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
        at_blocks = self._held % layout.BLOCK == 0 and _address(chunk) % layout.BLOCK == 0
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


def _address(data: memoryview | mmap.mmap) -> int:
    return int(np.frombuffer(data, np.uint8).__array_interface__["data"][0])


@contextlib.contextmanager
def reader(fd: int, size: int) -> Iterator[Callable[[memoryview, int], int]]:
    """Gives a function like :func:`fs.read_into` that reads uncached data past the cache.

    On a machine that has just started, the pages of the cache would cost more than the disk. The
    function reads normally if the file is small, if the system cannot read past its cache, or if
    the system cannot tell which data is cached.

    Args:
        fd: The file, open for reading. No other reader may use this descriptor.
        size: The file's size.
    """
    if size < LEAST:
        yield functools.partial(fs.read_into, fd)
        return
    with _Cached(fd) as cached:

        def read_into(buffer: memoryview, offset: int) -> int:
            done = _read_blocks(fd, buffer, offset, cached)
            return done + fs.read_into(fd, buffer[done:], offset + done)

        yield read_into


def _read_blocks(fd: int, buffer: memoryview, offset: int, cached: _Cached) -> int:
    size = len(buffer) // layout.BLOCK * layout.BLOCK
    if not size or offset % layout.BLOCK or _address(buffer) % layout.BLOCK:
        return 0
    if cached.has(offset, size) or not fs.set_direct(fd, True):
        return 0
    try:
        return os.preadv(fd, [buffer[:size]], offset)
    except OSError:
        # The normal read that follows reports a true error.
        return 0
    finally:
        fs.set_direct(fd, False)


class _Cached:
    """Tells which parts of a file are in the cache; all of them, if the system cannot tell.

    This class maps the file once, and never reads through the map. Mapping and unmapping each part
    would hold up the other threads, which allocate memory at the same time.
    """

    def __init__(self, fd: int) -> None:
        self._call = _mincore()
        self._window: mmap.mmap | None = None
        self._page = np.zeros(1, np.uint8)
        if self._call is not None:
            with contextlib.suppress(OSError, ValueError):
                self._window = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
                self._start = _address(self._window)

    def __enter__(self) -> _Cached:
        return self

    def __exit__(self, *_: object) -> None:
        if self._window is not None:
            self._window.close()

    def has(self, offset: int, size: int) -> bool:
        """Whether a part's first and last page are cached; assumes the same of those between."""
        # A read that does not wait cannot replace this check: it makes the system read ahead.
        return self._has_page(offset) and self._has_page(offset + size - 1)

    def _has_page(self, offset: int) -> bool:
        if self._window is None:
            return True
        # If the call fails, this value stays, and the page counts as cached.
        self._page[0] = 1
        self._call(self._start + offset - offset % mmap.PAGESIZE, 1, self._page.ctypes.data)
        return bool(self._page[0] & 1)


@functools.cache
def _mincore() -> Any:
    return linux.call("mincore", (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p))


# Linux' MADV_POPULATE_READ, for which Python has no name. It reads as a fault of each page would,
# and returns an error where a fault would end the process.
_POPULATE_READ = 22

# How much of a file is mapped at a time while it is read into the cache.
_WINDOW = 16 << 20


@functools.cache
def _madvise() -> Any:
    # Python's own mmap.madvise() holds the interpreter lock until the disk has answered, and
    # training would wait for the lock.
    return linux.call("madvise", (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int))


def _read_into_cache(path: str, stop: Callable[[], bool]) -> None:
    """Makes the system read a file into its cache, until `stop` returns True. Only a hint."""
    advise = _madvise()
    if advise is None:
        return
    try:
        fd, size = fs.open_regular(path)
        with fs.closing(fd):
            for start in range(0, size, _WINDOW):
                if stop():
                    return
                length = min(_WINDOW, size - start)
                with mmap.mmap(fd, length, prot=mmap.PROT_READ, offset=start) as window:
                    window.madvise(mmap.MADV_SEQUENTIAL)
                    if advise(_address(window), length, _POPULATE_READ) != 0:
                        # The system is too old, or the disk fails.
                        return
    except (OSError, ValueError):
        # The file was removed or became shorter.
        return


# The allowance grows by this share of the time that passes, up to _ADVANCE seconds, which may be
# used in advance. Training loses a sixth of the used time. If the disk reads 2 GB/s, the allowance
# is enough for all of the first ten saves of 400 MB, and later for one such save every minute.
_SHARE = 0.005
_ADVANCE = 2.0


class ReadBack:
    """Reads packs that were written past the cache into it, in a small share of the time."""

    def __init__(self) -> None:
        self._allowance = _ADVANCE
        self._since = time.monotonic()

    def read(self, paths: Iterable[str], stop: Callable[[], bool]) -> None:
        """Reads these files until the allowance is used up, or `stop` returns True."""
        began = time.monotonic()
        allowance = min(_ADVANCE, self._allowance + _SHARE * (began - self._since))
        for path in paths:
            _read_into_cache(path, lambda: stop() or time.monotonic() - began > allowance)
        self._since = time.monotonic()
        self._allowance = allowance - (self._since - began)
