"""Digests of batches, bounded: a large array is sampled at places that are always the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xxhash

from rekindle._base.arrays import AnyArray, as_buffer
from rekindle._frameworks import table as frameworks

# A larger array is sampled: so many blocks of so many bytes, the first and the last among them.
_WHOLE = 16 << 10
_BLOCKS, _BLOCK = 8, 2 << 10
# Of texts and records, so many.
_ITEMS = 256
# Values that are no arrays, and have bytes of their own.
_SINGLE = (np.generic, int, float, complex, str, bytes)


def sample(batch: Any) -> int | None:
    """A digest of a batch, of at most 16 KiB of each array.

    ``None`` if the batch has no array, or its arrays cannot be read without waiting for a device.

    Args:
        batch: Arrays, numbers and texts, in tuples, lists and mappings.
    """
    digest, found, todo = xxhash.xxh3_64(), False, [batch]
    while todo:
        leaf = todo.pop()
        if not isinstance(leaf, np.ndarray):
            inner = _items(leaf)
            if inner is not None:
                todo.extend(inner)
                continue
            leaf = np.asarray(leaf) if isinstance(leaf, _SINGLE) else frameworks.at_hand(leaf)
            if leaf is None:
                return None
        if leaf.dtype.hasobject:
            leaf = _texts(leaf)
        if leaf.size:
            found = True
            _add(digest, leaf)
    return digest.intdigest() if found else None


def unreadable(batch: Any) -> str | None:
    """The class of something in a batch that no digest is ever made of; ``None`` if all is well."""
    todo = [batch]
    while todo:
        leaf = todo.pop()
        inner = None if isinstance(leaf, np.ndarray) else _items(leaf)
        if inner is not None:
            todo.extend(inner)
        elif not isinstance(leaf, _SINGLE) and frameworks.framework(leaf) is None:
            return type(leaf).__name__
    return None


def _texts(array: AnyArray) -> AnyArray:
    """The bytes of texts and records in an array of objects; none of other objects."""
    parts = [_text(item)[:_BLOCK].encode("utf-8", "surrogatepass") for item in array.flat[:_ITEMS]]
    return np.frombuffer(b"\n".join(parts).strip(b"\n"), np.uint8)


def _text(item: Any) -> str:
    # Programs of language models read records, which give themselves as JSON values.
    as_json = getattr(item, "get_json", None)
    if callable(as_json):
        return json.dumps(as_json(), sort_keys=True, default=str)
    return item if isinstance(item, str) else ""


def _items(leaf: Any) -> Iterable[Any] | None:
    """What is in a container, the last first; ``None`` if it is none."""
    if isinstance(leaf, tuple | list):
        return reversed(leaf)
    if leaf is None:
        return ()
    return reversed(list(leaf.values())) if isinstance(leaf, Mapping) else None


def _add(digest: xxhash.xxh3_64, array: AnyArray) -> None:
    if not array.flags.c_contiguous:
        # To copy a large one would cost too much: some of its rows.
        step = 1 if array.nbytes <= _WHOLE else max(1, len(array) // _BLOCKS)
        for row in array[::step] if array.ndim else ():
            _add(digest, np.array(row, order="C"))
        return
    bits = array.reshape(-1).view(np.uint8)
    if bits.nbytes <= _WHOLE:
        digest.update(as_buffer(bits))
        return
    last = bits.nbytes - _BLOCK
    for number in range(_BLOCKS):
        start = last * number // (_BLOCKS - 1)
        digest.update(as_buffer(bits[start : start + _BLOCK]))
