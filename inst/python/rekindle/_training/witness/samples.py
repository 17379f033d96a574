"""Digests of batches, bounded: a large array is sampled at places that are always the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xxhash

from rekindle._base.arrays import AnyArray, as_buffer
from rekindle._frameworks import table as frameworks

# A larger array is sampled: so many blocks of so many bytes, the first and the last among them.
_WHOLE = 16 << 10
_BLOCKS, _BLOCK = 8, 2 << 10


def sample(batch: Any) -> int | None:
    """A digest of a batch, of at most 16 KiB of each array.

    ``None`` if the batch has no array, or its arrays cannot be read without waiting for a device.

    Args:
        batch: Arrays, in tuples, lists and mappings.
    """
    digest, found = xxhash.xxh3_64(), False
    for leaf in _leaves(batch):
        array = leaf if isinstance(leaf, np.ndarray) else _on_host(leaf)
        if array is None:
            return None
        if array.dtype.hasobject:
            continue
        found = True
        for part in _parts(array):
            digest.update(part)
    return digest.intdigest() if found else None


def _leaves(batch: Any) -> Iterator[Any]:
    if isinstance(batch, tuple | list):
        for item in batch:
            yield from _leaves(item)
    elif isinstance(batch, Mapping):
        for item in batch.values():
            yield from _leaves(item)
    elif batch is not None:
        yield batch


def _on_host(leaf: Any) -> AnyArray | None:
    return np.asarray(leaf) if isinstance(leaf, np.generic) else frameworks.at_hand(leaf)


def _parts(array: AnyArray) -> Iterator[memoryview]:
    if array.nbytes > _WHOLE:
        if not array.flags.c_contiguous:
            # To copy the whole would cost too much.
            rows = np.linspace(0, len(array) - 1, min(len(array), _BLOCKS)).astype(int)
            for row in rows:
                yield from _parts(np.ascontiguousarray(array[row]))
            return
        bits = as_buffer(array.reshape(-1).view(np.uint8))
        last = len(bits) - _BLOCK
        for number in range(_BLOCKS):
            start = last * number // (_BLOCKS - 1)
            yield bits[start : start + _BLOCK]
        return
    yield as_buffer(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
