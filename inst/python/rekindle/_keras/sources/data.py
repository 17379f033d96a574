"""The interface of each kind of data, with defaults for data without special needs."""

from __future__ import annotations

from typing import Any


class Data:
    """Data about which Keras' adapter says everything, such as a generator.

    Args:
        adapter: Keras' data adapter.
    """

    # The adapter's method that gives the Python iterator which a tf.data pipeline wraps.
    python_iterator: str | None = None
    # Whether the order of the batches depends on how many iterators were made before.
    counts_iterators = False

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    def begin(self) -> None:
        """Called before the first iterator of the fit() is made."""

    def wait(self) -> None:
        """Called before an iterator is made."""

    def generators(self) -> list[Any]:
        """Random generators of PyTorch that belong to the data, each once."""
        return []


class GeneratorData(Data):
    """A Python generator, or another iterable of batches."""

    python_iterator = "generator"


class TensorFlowData(Data):
    """A tf.data dataset. Its shuffles and its caches count iterators."""

    counts_iterators = True
