"""What the tests of packs past the system's cache share: blocks in memory and in the cache."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np

BLOCK = 4096


def room(size: int, shift: int = 0) -> np.ndarray:
    """`size` bytes that begin `shift` bytes after the start of a block in memory."""
    found = np.empty(size + 2 * BLOCK, np.uint8)
    start = -found.ctypes.data % BLOCK + shift
    return found[start : start + size]


def chunk(size: int, shift: int, fill: int) -> memoryview:
    data = room(size, shift)
    data[:] = fill
    return memoryview(data)


def in_cache(path, block: int | None = None) -> bool:
    """Whether most of the file, or one block of it, is in the system's cache."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        pages = np.zeros(-(-len(mapped) // mmap.PAGESIZE), np.uint8)
        address = np.frombuffer(mapped, np.uint8).ctypes.data
        size, there = ctypes.c_size_t(len(mapped)), ctypes.c_void_p(pages.ctypes.data)
        assert ctypes.CDLL(None).mincore(ctypes.c_void_p(address), size, there) == 0
    return (pages & 1).mean() > 0.5 if block is None else bool(pages[block] & 1)
