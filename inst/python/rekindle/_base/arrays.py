"""Arrays as bytes: their digest, and a copy with it."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

AnyArray = npt.NDArray[np.generic]


# What is copied at once: there, the cache has to hold both.
_COPIED = 256 << 10


def as_bytes(array: AnyArray) -> memoryview:
    """The array's bytes as format 1 stores them, little-endian in C order; copied if need be."""
    # Not `ascontiguousarray`, which gives a scalar an axis.
    array = np.asarray(array, order="C")
    if array.dtype.byteorder == ">" or (array.dtype.byteorder == "=" and not np.little_endian):
        array = array.astype(array.dtype.newbyteorder("<"))
    # Viewed as bytes because bfloat16 and its like have no buffer of their own.
    return as_buffer(array.reshape(-1).view(np.uint8))


def as_buffer(array: npt.NDArray[np.uint8]) -> memoryview:
    data: Any = array  # NumPy's stubs do not say that an array is a buffer.
    return memoryview(data)


def digest(data: memoryview | bytearray | bytes) -> str:
    """Its XXH3-128. Other threads run meanwhile: xxhash lets go of the interpreter's lock."""
    return xxhash.xxh3_128_hexdigest(data)


def copy_and_digest(target: AnyArray, source: AnyArray) -> str:
    """Copies an array into one of its form that is in C order: the digest of what was copied."""
    if not source.flags.c_contiguous or source.dtype.byteorder == ">" or not np.little_endian:
        np.copyto(target, source)
        return digest(as_bytes(target))
    to, bits = target.reshape(-1).view(np.uint8), source.reshape(-1).view(np.uint8)
    whole = xxhash.xxh3_128()
    for start in range(0, len(to), _COPIED):
        part = slice(start, start + _COPIED)
        np.copyto(to[part], bits[part])
        # Of the copy, and not of what somebody may be changing meanwhile.
        whole.update(as_buffer(to[part]))
    return whole.hexdigest()


@functools.lru_cache(maxsize=256)
def dtype_name(dtype: np.dtype[Any]) -> str:
    """NumPy's name of the dtype, which NumPy itself makes anew each time it is asked."""
    return dtype.name
