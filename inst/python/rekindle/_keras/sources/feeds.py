"""How Keras reads data: batch by batch in Python, or ahead and out of sight in TensorFlow.

Each feed is the source in which :class:`rekindle._training.data_cursor.DataCursor` has a position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from rekindle._base.arrays import AnyArray, as_bytes, digest
from rekindle._frameworks import table as frameworks
from rekindle._keras.sources import caches
from rekindle._keras.sources.arrays import UnseededArrays, new_pipeline
from rekindle._keras.sources.data import Data
from rekindle._keras.sources.py_dataset import dataset_state
from rekindle._keras.sources.table import data_of
from rekindle._training.attributes import Attributes
from rekindle._training.data_proxy import Proxy
from rekindle._training.data_source import DataListener
from rekindle._training.epoch_iterator import EpochIterator


class _Feed(EpochIterator):
    """The common part of both feeds.

    Args:
        epoch_iterator: Keras' own epoch iterator, of the fit().
    """

    def __init__(self, epoch_iterator: Any) -> None:
        super().__init__(epoch_iterator)
        self._data = data_of(epoch_iterator.data_adapter)

    # Keras 3 makes an iterator when its epoch has begun.
    made_early = False
    draws = False
    # Keras 3 keeps the iterators of its validation data out of sight.
    validations = 0
    began = 0
    is_used = False

    @property
    def kind(self) -> type[Data]:
        """The kind of the data."""
        return type(self._data)

    def wait(self) -> None:
        """Waits until an iterator can be made from the data."""
        self._data.wait()

    def generators(self) -> list[AnyArray]:
        """The states of the data's own random generators."""
        return [generator.get_state().numpy() for generator in self._data.generators()]

    def set_generators(self, states: list[AnyArray]) -> None:
        """Restores such states."""
        for generator, state in zip(self._data.generators(), states, strict=False):
            import torch

            generator.set_state(torch.from_numpy(np.array(state)))

    def dataset_state(self) -> Attributes:
        """The data's own attributes, from now on."""
        return dataset_state(self._iterator.data_adapter)

    def continue_epochs(self) -> None:
        """Keras has ended the epoch before a checkpoint at its end."""

    def is_alone(self, on: bool) -> None:
        """The listener sees which reads draw."""

    def _make(self, dataset: Any, times: int) -> None:
        """Makes so many iterators of a dataset of TensorFlow."""
        # Steps that end before the data does never fill a cache.
        fills = self._iterator.steps_per_epoch is None and caches.keeps_a_random_order(dataset)
        for number in range(times):
            iterator = iter(dataset)
            if number == 0 and fills:
                for _ in iterator:
                    pass


class PythonFeed(_Feed):
    """The feed on JAX and PyTorch: rekindle sees each batch when Keras reads it."""

    reads_ahead = False
    sees_reads = True

    @property
    def seed(self) -> int | None:
        """``None``: these batches are shuffled by generators whose states are saved."""
        return None

    @seed.setter
    def seed(self, seed: int | None) -> None:
        """Has no effect."""

    def attach(self, listener: DataListener) -> None:
        """Reports each iterator and each batch to the listener, from now on."""
        make = self._iterator._get_iterator
        self._iterator._get_iterator = lambda: Proxy(listener, make())
        self._data.begin()

    def detach(self) -> None:
        self._iterator.__dict__.pop("_get_iterator", None)

    def steps_given(self) -> int | None:
        """How many steps the current iterator has given; ``None``: the listener knows."""
        return None

    def begin(self, number: int) -> None:
        """Gives this number to the next iterator."""

    def renew(self, times: int) -> None:
        """Makes so many iterators of data that counts them; reads only what a cache needs."""
        dataset: Any = getattr(self._iterator.data_adapter, "_dataset", None)
        if self._data.counts_iterators and hasattr(dataset, "element_spec"):
            self._make(dataset, times)

    def advance(self, steps: int) -> None:
        """Makes the iterator that continues across epochs, and reads so many steps of it."""
        self._advance(iter(self._iterator._get_iterator()), steps)

    def digest(self, batch: Any) -> str | None:
        """A digest of a batch; ``None`` if there is none."""
        # PyTorch's arrays draw the order within a batch from the generator of training.
        in_any_order = getattr(self._iterator.data_adapter, "_shuffle", None) == "batch"
        return batch_digest(batch, in_any_order=in_any_order)


class TensorFlowFeed(_Feed):
    """The feed on TensorFlow, which reads ahead, on other threads, mostly out of sight.

    Attributes:
        sees_reads: Whether the data is Python code, whose reads rekindle sees.
    """

    reads_ahead = True

    def __init__(self, epoch_iterator: Any) -> None:
        super().__init__(epoch_iterator)
        self._unseeded = UnseededArrays.of(epoch_iterator)
        self.sees_reads = False

    @property
    def seed(self) -> int | None:
        """The seed of shuffled arrays that have none of their own; ``None`` for other data."""
        return None if self._unseeded is None else self._unseeded.base

    @seed.setter
    def seed(self, seed: int | None) -> None:
        if seed is not None and self._unseeded is not None:
            self._unseeded.base = seed

    def attach(self, listener: DataListener) -> None:
        """Reports each iterator, and each read of Python code, to the listener, from now on."""
        self.sees_reads = self._watch_python(lambda it: Proxy(listener, it, reports_making=False))
        # TensorFlow reads its own iterators inside its graphs: nothing can replace them.
        dataset = _unwrapped(self._iterator._distributed_dataset)
        self._iterator._distributed_dataset = Proxy(listener, dataset, reports_reads=False)
        self._data.begin()

    def _watch_python(self, watch: Callable[[Any], Any]) -> bool:
        """Wraps the Python iterator in the pipeline. Returns whether there is one."""
        adapter, name = self._iterator.data_adapter, self._data.python_iterator
        original = getattr(adapter, name, None) if name is not None else None
        if name is None or original is None:
            return False
        setattr(adapter, name, lambda: iter(watch(original())))
        self._iterator._distributed_dataset = new_pipeline(self._iterator)
        return True

    def detach(self) -> None:
        """The pipeline dies with its fit()."""

    def steps_given(self) -> int | None:
        """How many steps the current iterator has given."""
        return int(getattr(self._iterator, "_steps_seen", 0))

    def begin(self, number: int) -> None:
        """Gives this number to the next iterator."""
        if self._unseeded is not None:
            self._iterator._distributed_dataset.source = self._unseeded.begin(number)

    def renew(self, times: int) -> None:
        """Makes so many iterators of data that counts them; reads only what a cache needs."""
        if not self._data.counts_iterators or self._unseeded is not None:
            return
        # Not from the proxy, which would report them.
        dataset = _unwrapped(getattr(self._iterator, "_distributed_dataset", None))
        if dataset is not None:
            self._make(dataset, times)

    def advance(self, steps: int) -> None:
        """Makes the iterator that continues across epochs, and reads so many steps of it."""
        self._advance(iter(self._iterator._distributed_dataset), steps)

    def digest(self, batch: Any) -> str | None:
        """``None``: batches stay inside TensorFlow's graph."""
        return batch_digest(batch)


def feed_of(epoch_iterator: Any) -> PythonFeed | TensorFlowFeed:
    """How this fit() reads its data."""
    if keras.backend.backend() == "tensorflow":
        return TensorFlowFeed(epoch_iterator)
    return PythonFeed(epoch_iterator)


def _unwrapped(dataset: Any) -> Any:
    """The dataset itself, also if a proxy stands in its place."""
    return getattr(dataset, "source", dataset)


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
