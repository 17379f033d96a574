"""Arrays as bytes: computes their digest, and copies an array while computing it."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

AnyArray = npt.NDArray[np.generic]


# Bytes per copy step. The processor's cache must hold the source and the copy of one step.
_COPIED = 256 << 10


def as_bytes(array: AnyArray) -> memoryview:
    """The array's bytes as format 1 stores them: little-endian, C order. Copies only if needed."""
    # `ascontiguousarray` is not used, because it gives a scalar an axis.
    array = np.asarray(array, order="C")
    if array.dtype.byteorder == ">" or (array.dtype.byteorder == "=" and not np.little_endian):
        array = array.astype(array.dtype.newbyteorder("<"))
    # View the array as bytes, because bfloat16 and similar dtypes do not support buffers.
    return as_buffer(array.reshape(-1).view(np.uint8))


def as_buffer(array: npt.NDArray[np.uint8]) -> memoryview:
    data: Any = array  # NumPy's stubs do not say that an array is a buffer.
    return memoryview(data)


def digest(data: memoryview | bytearray | bytes) -> str:
    """The XXH3-128 of `data`. xxhash releases the interpreter lock, so other threads can run."""
    return xxhash.xxh3_128_hexdigest(data)


def copy_and_digest(target: AnyArray, source: AnyArray) -> str:
    """Copies `source` into `target`, which has the same form in C order; returns the digest."""
    if not source.flags.c_contiguous or source.dtype.byteorder == ">" or not np.little_endian:
        np.copyto(target, source)
        return digest(as_bytes(target))
    to, bits = target.reshape(-1).view(np.uint8), source.reshape(-1).view(np.uint8)
    whole = xxhash.xxh3_128()
    for start in range(0, len(to), _COPIED):
        part = slice(start, start + _COPIED)
        np.copyto(to[part], bits[part])
        # Hash the copy: other code may be changing the source meanwhile.
        whole.update(as_buffer(to[part]))
    return whole.hexdigest()


@functools.lru_cache(maxsize=256)
def dtype_name(dtype: np.dtype[Any]) -> str:
    """NumPy's name of the dtype. Cached, because NumPy builds the name again on every access."""
    return dtype.name
