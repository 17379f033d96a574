"""The system's cache of files: which parts of a pack are in it, and reading packs into it.

rekindle writes large packs past the cache, which costs training less, and reads them into the cache
afterwards, because a restart finds in memory only the data in the cache. That costs training
another 0.07 s for 400 MB, so rekindle does it only within an allowance of time. A restart reads the
data that is not in the cache past the cache, too.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import mmap
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from rekindle._base import linux, memory, tuning
from rekindle._storage.local import fs


class Cached:
    """Tells which parts of a file are in the cache; all of them, if the system cannot tell.

    This class maps the file once, and never reads through the map. Mapping and unmapping each part
    would hold up the other threads, which allocate memory at the same time.
    """

    def __init__(self, fd: int) -> None:
        self._call: Any = _mincore() if tuning.uses(tuning.DIRECT_IO) else None
        self._window: mmap.mmap | None = None
        self._page = np.zeros(1, np.uint8)
        if self._call is not None:
            with contextlib.suppress(OSError, ValueError):
                self._window = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
                self._start = memory.address(self._window)

    def close(self) -> None:
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


def _read_into_cache(path: fs.Where, stop: Callable[[], bool]) -> None:
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
                    if advise(memory.address(window), length, _POPULATE_READ) != 0:
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

    def read(self, paths: Iterable[fs.Where], stop: Callable[[], bool]) -> None:
        """Reads these files until the allowance is used up, or `stop` returns True."""
        if not tuning.uses(tuning.PAGE_CACHE):
            return
        began = time.monotonic()
        allowance = min(_ADVANCE, self._allowance + _SHARE * (began - self._since))
        for path in paths:
            _read_into_cache(path, lambda: stop() or time.monotonic() - began > allowance)
        self._since = time.monotonic()
        self._allowance = allowance - (self._since - began)
