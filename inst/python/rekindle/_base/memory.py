"""Memory for large arrays that returns to the system as soon as it is unused."""

from __future__ import annotations

import ctypes
import functools
import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

from rekindle._base import linux, tuning

# The alignment of XLA, and of packs. With it, JAX takes a whole array without a copy.
_ALIGNMENT = 64

# Smaller arrays come from the heap, like all other memory.
_LARGE = 1 << 20


def room(size: int, *, huge: bool = True) -> npt.NDArray[np.uint8]:
    """Allocates `size` bytes, aligned like the arrays in packs.

    A heap does not give memory that one thread freed to other threads. If several threads read a
    state into heap memory, that memory would remain beside the next state that is allocated.

    Args:
        size: How many bytes.
        huge: Whether all bytes will be used, so that it is worth the time to clear huge pages.
    """
    if size < _LARGE or not hasattr(mmap, "MAP_ANONYMOUS"):
        room = np.empty(size + _ALIGNMENT, np.uint8)
        start = -room.ctypes.data % _ALIGNMENT
        return room[start : start + size]
    try:
        # Private: a forked child that writes to the memory or unmaps it does not affect the parent.
        mapped = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"no memory for {size} bytes") from error
    if huge and tuning.uses(tuning.HUGE_PAGES):
        _ask_for_huge_pages(mapped)
    return np.frombuffer(mapped, np.uint8)


def _ask_for_huge_pages(mapped: Any) -> None:
    # With pages of the usual size, the first write to each page costs a page fault.
    if hasattr(mmap, "MADV_HUGEPAGE"):
        try:
            mapped.madvise(mmap.MADV_HUGEPAGE)
        except OSError:
            # This kernel was built without huge pages.
            return


def array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[np.generic]:
    """An array in memory from :func:`room`; its content is undefined."""
    size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    made: npt.NDArray[np.generic] = room(size).view(dtype).reshape(shape)
    return made


def address(data: memoryview | mmap.mmap) -> int:
    """Where the bytes begin in memory."""
    return int(np.frombuffer(data, np.uint8).__array_interface__["data"][0])


def give_back() -> None:
    """Returns freed heap memory to the system, if the C library has a call for it.

    Other threads do not reuse the memory that JAX frees on one thread. Without this call, a
    replaced state would stay in memory beside the new state.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@functools.cache
def _malloc_trim() -> Any:
    # GNU's C library has this function. musl does not have it, and returns memory by itself.
    return linux.call("malloc_trim", (ctypes.c_size_t,))
