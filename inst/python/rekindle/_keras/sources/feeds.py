"""How Keras reads data; on JAX and PyTorch, batch by batch in Python.

A feed is the source in which :class:`rekindle._training.data_cursor.DataCursor` has a position.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._keras.sources import caches, pipelines
from rekindle._keras.sources.data import Data
from rekindle._keras.sources.digests import batch_digest
from rekindle._keras.sources.drawn import known_to
from rekindle._keras.sources.py_dataset import dataset_state
from rekindle._keras.sources.table import data_of
from rekindle._training.attributes import Attributes
from rekindle._training.data_proxy import Proxy
from rekindle._training.data_source import DataListener
from rekindle._training.epoch_iterator import EpochIterator
from rekindle._training.owned import Owned
from rekindle._training.reach import Reach


class Feed(EpochIterator):
    """The common part of both feeds.

    Args:
        epoch_iterator: Keras' own epoch iterator, of the fit().
        besides: Variables that are saved with the model.
    """

    def __init__(self, epoch_iterator: Any, besides: Collection[Any] = ()) -> None:
        super().__init__(epoch_iterator)
        self._data = data_of(epoch_iterator.data_adapter)
        self._reach = Reach(self._data.roots(), known_to(besides))
        variables = self._data.variables()
        self.owned = Owned.of(self._reach, variables)
        self.draws = pipelines.process_states(variables)
        self.calls_unseen = self._data.calls_unseen

    # Whether other threads read batches ahead of training.
    reads_ahead: bool
    # Keras 3 makes an iterator when its epoch has begun.
    made_early = False
    # Keras 3 keeps the iterators of its validation data out of sight.
    validations = 0
    began = 0
    is_used = False

    @property
    def reached(self) -> list[Any]:
        """The user's objects that make the batches, and all within their reach."""
        return self._reach.reached

    @property
    def kind(self) -> type[Data]:
        """The kind of the data."""
        return type(self._data)

    @property
    def misses_passes(self) -> bool:
        """Whether :meth:`renew` leaves out shuffles: how far an iterator was read is not known."""
        return self._data.shuffles_passes and (self.lives_on or self.reads_ahead)

    @property
    def made_before(self) -> int:
        """How many iterators earlier fit()s of this process have made of the data."""
        return self._data.made_before

    def has_given(self, number: int) -> None:
        """The current iterator gave its batch of this number, counted from 1."""
        self._data.has_given(number)

    def supply(self) -> list[int] | None:
        """How many batches of data that comes once were taken before this fit(), and so far."""
        return self._data.supply()

    def go_to(self, position: int) -> bool:
        """Makes this fit() begin after so many batches of data that comes once."""
        return self._data.go_to(position)

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
        """Makes iterators of a dataset of TensorFlow, until this process has made so many."""
        before = self._data.made_before
        self._data.has_made(max(times, before))
        # Steps that end before the data does never fill a cache.
        is_whole = self._iterator.steps_per_epoch is None
        fills = is_whole and caches.keeps_a_random_order(dataset)
        for number in range(before, times):
            iterator = iter(dataset)
            if (number == 0 and fills) or (self._data.shuffles_passes and not self.misses_passes):
                for _ in iterator:
                    pass


class PythonFeed(Feed):
    """The feed on JAX and PyTorch: rekindle sees each batch when Keras reads it."""

    reads_ahead = False
    sees_reads = True
    is_elsewhere = False

    @property
    def settles(self) -> bool:
        return self._data.settles

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
        self._data.has_made(number)

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
