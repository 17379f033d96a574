"""Memory for large arrays that goes back to the system as soon as nobody uses it."""

from __future__ import annotations

import ctypes
import functools
import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

from rekindle._base import linux

# XLA's, as packs have it: JAX then takes a whole array without a copy.
_ALIGNMENT = 64

# What is smaller comes from the heap like everything else.
_LARGE = 1 << 20


def room(size: int, *, huge: bool = True) -> npt.NDArray[np.uint8]:
    """So many bytes, aligned as arrays in packs are.

    A heap keeps what was freed on one thread from all others, so a state that was read by several
    threads would be in memory once more after the next was allocated.

    Args:
        size: How many.
        huge: Whether all of them will be used, so that huge pages are worth being cleared.
    """
    if size < _LARGE or not hasattr(mmap, "MAP_ANONYMOUS"):
        room = np.empty(size + _ALIGNMENT, np.uint8)
        start = -room.ctypes.data % _ALIGNMENT
        return room[start : start + size]
    try:
        # Private: a forked child that writes to it, or unmaps it, does so alone.
        mapped = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"no memory for {size} bytes") from error
    if huge:
        _ask_for_huge_pages(mapped)
    return np.frombuffer(mapped, np.uint8)


def _ask_for_huge_pages(mapped: Any) -> None:
    # Each page of the usual size costs a fault when it is first written to.
    if hasattr(mmap, "MADV_HUGEPAGE"):
        try:
            mapped.madvise(mmap.MADV_HUGEPAGE)
        except OSError:
            # The kernel was built without.
            return


def array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[np.generic]:
    """An array of that form in such memory, with whatever is in it."""
    size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    made: npt.NDArray[np.generic] = room(size).view(dtype).reshape(shape)
    return made


def give_back() -> None:
    """Gives the system what the heap keeps of memory that was freed, where the heap can be asked.

    What JAX frees on one thread is not used again by another: a state that was replaced would stay
    in memory beside its successor.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@functools.cache
def _malloc_trim() -> Any:
    # GNU's C library has it; musl has not, and gives back by itself.
    return linux.call("malloc_trim", (ctypes.c_size_t,))
