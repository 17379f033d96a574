"""Digests of batches, to see whether two readings of the data gave the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from rekindle._base.arrays import AnyArray, as_bytes, digest
from rekindle._frameworks import table as frameworks


def batch_digest(batch: Any, *, in_any_order: bool = False) -> str | None:
    """A digest of a batch's arrays; ``None`` if there is no batch, or it holds no arrays.

    Args:
        batch: The batch.
        in_any_order: Whether the samples within the batch may come in any order.
    """
    arrays = [np.asarray(_as_host_array(leaf)) for leaf in _leaves(batch)]
    if in_any_order and arrays:
        samples = sorted("".join(map(_digest, parts)) for parts in zip(*arrays, strict=False))
        return digest("".join(samples).encode())
    parts = [f"{array.dtype}{array.shape}{_digest(array)}" for array in arrays]
    return digest("".join(parts).encode()) if parts else None


def _as_host_array(leaf: Any) -> Any:
    known = frameworks.framework(leaf)
    return frameworks.to_numpy(leaf) if known else keras.ops.convert_to_numpy(leaf)


def _digest(array: AnyArray) -> str:
    return digest(as_bytes(array)) if array.dtype != object else ""


def _leaves(batch: Any) -> Iterator[Any]:
    for leaf in keras.tree.flatten(batch):
        if isinstance(leaf, np.ndarray | np.generic) or keras.ops.is_tensor(leaf):
            yield leaf
