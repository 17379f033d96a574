"""The interface of each kind of data, with defaults for data without special needs."""

from __future__ import annotations

import functools
import weakref
from typing import Any

from rekindle._keras.sources import pipelines
from rekindle._training.owned import Drawn


class Data:
    """Data about which Keras' adapter says everything, such as a generator.

    Args:
        adapter: Keras' data adapter.
    """

    # The adapter's method that gives the Python iterator which a tf.data pipeline wraps.
    python_iterator: str | None = None
    # Whether the order of the batches depends on how many iterators were made before.
    counts_iterators = False
    # Whether all state of the data stands where training stands when an epoch begins. A thread of
    # its own may have read more.
    settles = False
    # Whether TensorFlow can read the Python iterator batch by batch, and whether Keras has it read
    # ahead.
    can_be_in_step = True
    is_prefetched = False
    # Whether the order depends on how far an iterator was read, too.
    shuffles_passes = False
    # Whether a pipeline of TensorFlow calls Python code before training asks for its result.
    calls_unseen = False

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    def begin(self) -> None:
        """Called before the first iterator of the fit() is made."""

    def wait(self) -> None:
        """Called before an iterator is made."""

    def roots(self) -> dict[str, Any]:
        """The user's objects that make the batches, by name: a generator may be within reach."""
        return {"dataset": getattr(self._adapter, "_dataset", None)}

    def variables(self) -> dict[str, Drawn]:
        """Variables that making a batch may change, by name."""
        return {}

    def has_given(self, number: int) -> None:
        """Called after the current iterator gave its batch of this number, counted from 1."""

    def supply(self) -> list[int] | None:
        """How many batches of data that comes once were taken before this fit(), and so far."""
        return None

    def go_to(self, position: int) -> bool:
        """Makes this fit() begin after so many batches of data that comes once."""
        return True

    @property
    def made_before(self) -> int:
        """How many iterators earlier fit()s of this process have made of the data."""
        return 0

    def has_made(self, number: int) -> None:
        """So many iterators were made of the data in this process."""

    def generators(self) -> list[Any]:
        """Random generators of PyTorch that belong to the data, each once."""
        return []


class TensorFlowData(Data):
    """A tf.data dataset. Its shuffles and its caches count iterators."""

    counts_iterators = True

    @functools.cached_property
    def calls_unseen(self) -> bool:  # type: ignore[override]
        return pipelines.calls_python(getattr(self._adapter, "_dataset", None))

    @functools.cached_property
    def shuffles_passes(self) -> bool:  # type: ignore[override]
        return pipelines.shuffles_passes(getattr(self._adapter, "_dataset", None))

    def roots(self) -> dict[str, Any]:
        return pipelines.python_of(getattr(self._adapter, "_dataset", None))

    def variables(self) -> dict[str, Drawn]:
        return pipelines.variables_of(getattr(self._adapter, "_dataset", None))

    @property
    def made_before(self) -> int:
        return _made.get(pipelines.given(self._adapter._dataset), 0)

    def has_made(self, number: int) -> None:
        _made[pipelines.given(self._adapter._dataset)] = number


# How many iterators the fit()s of this process have made of each dataset.
_made: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
