"""Large packs past the system's cache: written from where they lie, and then read into it.

A page of the cache has to be got and filled by the processors that training needs, while the disk
fetches by itself what is written past it. On two of them, beside a training that uses both, a save
of 400 MB through the cache cost training 0.2 s and one past it 0.07. A restart, however, finds in
memory only what is in the cache; so what was written is read into it. That costs training another
0.07 s, so it is done only as far as an allowance of time goes. What is not there by then is read
past the cache, too.
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

# Less than this is in the cache in no time.
LEAST = 16 << 20

# At once, so that the disk is kept busy.
_PIECE = 8 << 20

# What does not lie in memory as the disk wants it is gathered in so much.
_ROOM = 4 << 20

# How a system refuses to write past its cache, or from that memory.
_NOT_DIRECT = {errno.EINVAL, errno.ENOTSUP}


class Direct:
    """Writes a file from its beginning on, past the system's cache where that can be done.

    A process that forks meanwhile does no harm, of which open(2) warns: nothing is written into the
    memory that the disk reads from.

    Args:
        fd: The file, open for writing.

    Attributes:
        works: Whether all that was written so far went past the cache.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._room = memory.room(_ROOM, huge=False)
        self._held = 0
        self.works = fs.set_direct(fd, True)

    def write(self, chunks: Iterable[memoryview]) -> None:
        """Writes the chunks, one after the other, not synced."""
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
        # The file ends where it ends, and not with a block.
        fs.set_direct(self._fd, False)
        fs.write_all(self._fd, self._view(0, self._held))

    def _take_blocks(self, chunk: memoryview) -> memoryview:
        """Writes what can be written from where it lies: the rest of the chunk."""
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
        """Writes so many of the bytes gathered, and moves what is left of them to the front."""
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
                # What follows begins within a block, or the system wants none of it.
                self.works = False
                fs.set_direct(self._fd, False)
        fs.write_all(self._fd, data[done:])


def _address(data: memoryview | mmap.mmap) -> int:
    return int(np.frombuffer(data, np.uint8).__array_interface__["data"][0])


@contextlib.contextmanager
def reader(fd: int, size: int) -> Iterator[Callable[[memoryview, int], int]]:
    """What reads a file as :func:`fs.read_into` does, and past the cache what is not in it.

    On a machine that has just started, the pages for it would cost more than the disk. A small file
    is read as ever, and so is all where it cannot be done, or nobody can tell what is in the cache.

    Args:
        fd: The file, open for reading, for this reader alone.
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
        # Of a true error the read that follows tells.
        return 0
    finally:
        fs.set_direct(fd, False)


class _Cached:
    """Which parts of a file are in the cache; all of them, where nobody can tell.

    The file is mapped for it once, and nothing is read there: who maps and unmaps each part holds
    up the other threads, whose memory is being got at the same time.
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
        """Whether the first and the last page of a part are: what lies between goes with them."""
        # Not by a read that does not wait: it has the system begin to read ahead.
        return self._has_page(offset) and self._has_page(offset + size - 1)

    def _has_page(self, offset: int) -> bool:
        if self._window is None:
            return True
        # Refused, the page is as it was found.
        self._page[0] = 1
        self._call(self._start + offset - offset % mmap.PAGESIZE, 1, self._page.ctypes.data)
        return bool(self._page[0] & 1)


@functools.cache
def _mincore() -> Any:
    return linux.call("mincore", (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p))


# Linux' MADV_POPULATE_READ, for which Python has no name: reads as a fault of each page would, and
# answers with an error where a fault would end the process.
_POPULATE_READ = 22

# So much of a file is mapped at once while it is read into the cache.
_WINDOW = 16 << 20


@functools.cache
def _madvise() -> Any:
    # That of Python's mmap keeps the interpreter's lock until the disk has answered, and training
    # waits for it.
    return linux.call("madvise", (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int))


def _read_into_cache(path: str, stop: Callable[[], bool]) -> None:
    """Has the system read a file into its cache, until it is told to stop. It is only a hint."""
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
                        # Too old a system, or a disk that fails.
                        return
    except (OSError, ValueError):
        # A file that has gone or has become shorter since.
        return


# Of the time that passes, and what may be used up in advance, in seconds. Training loses a sixth of
# it. The first ten saves of 400 MB are read whole where the disk gives 2 GB/s, and later those that
# come every minute.
_SHARE = 0.005
_ADVANCE = 2.0


class ReadBack:
    """Reads packs that were written past the cache into it, for a small share of the time."""

    def __init__(self) -> None:
        self._allowance = _ADVANCE
        self._since = time.monotonic()

    def read(self, paths: Iterable[str], stop: Callable[[], bool]) -> None:
        """Reads these files as far as the allowance goes, or until told to stop."""
        began = time.monotonic()
        allowance = min(_ADVANCE, self._allowance + _SHARE * (began - self._since))
        for path in paths:
            _read_into_cache(path, lambda: stop() or time.monotonic() - began > allowance)
        self._since = time.monotonic()
        self._allowance = allowance - (self._since - began)
