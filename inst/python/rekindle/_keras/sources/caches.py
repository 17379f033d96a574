"""Caches in the memory of a tf.data pipeline: they keep the order of the first reading for good."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rekindle._keras.sources.pipelines import datasets, inputs


def keeps_a_random_order(dataset: Any) -> bool:
    """Whether a cache in memory keeps something that another reading would not give again.

    An example is ``dataset.shuffle(64).cache()``. To have the same cache, a resumed run must read
    the data once. Without a cache, or with one of a file, it needs no reading.
    """
    return any(
        _is_in_memory(one) and any(map(_is_random, _above(one))) for one in datasets(dataset)
    )


def _above(dataset: Any) -> Iterator[Any]:
    for one in inputs(dataset):
        yield from datasets(one)


def _is_in_memory(dataset: Any) -> bool:
    if "Cache" not in type(dataset).__name__:
        return False
    import tensorflow as tf

    name = getattr(dataset, "_filename", None)
    return name is None or tf.get_static_value(name) in (b"", "", None)


def _is_random(dataset: Any) -> bool:
    """Whether the dataset shuffles, or computes with operations that have a state."""
    kind = type(dataset).__name__
    if "Shuffle" in kind or "Random" in kind or "Generator" in kind:
        return True
    function = getattr(getattr(dataset, "_map_func", None), "function", None)
    graph = getattr(function, "graph", None)
    operations = () if graph is None else graph.get_operations()
    # A placeholder has no definition of its own.
    return any(op.op_def is not None and op.op_def.is_stateful for op in operations)
