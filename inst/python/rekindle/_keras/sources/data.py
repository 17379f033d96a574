"""What is asked of any kind of data, answered for one that has nothing particular."""

from __future__ import annotations

from typing import Any


class Data:
    """Data of which Keras' adapter says all: a generator, say.

    Args:
        adapter: Keras' data adapter.
    """

    # The adapter's method that gives the Python iterator which a tf.data pipeline wraps.
    python_iterator: str | None = None
    # Whether the order of its batches depends on how many iterators were made of it before.
    counts_iterators = False

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    def begin(self) -> None:
        """Before the first iterator of the fit() is made."""

    def wait(self) -> None:
        """Before an iterator is made."""

    def generators(self) -> list[Any]:
        """Random generators of PyTorch that belong to the data, each once."""
        return []


class GeneratorData(Data):
    """A Python generator, or another iterable of batches."""

    python_iterator = "generator"


class TensorFlowData(Data):
    """A tf.data dataset: its shuffles count iterators, and so do its caches."""

    counts_iterators = True
