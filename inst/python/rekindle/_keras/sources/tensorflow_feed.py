"""How Keras reads data on TensorFlow: in its graphs, mostly out of sight."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rekindle._keras.sources.arrays import UnseededArrays, new_pipeline
from rekindle._keras.sources.digests import batch_digest
from rekindle._keras.sources.feeds import Feed
from rekindle._keras.sources.in_step import InStep, Pace, without_prefetch
from rekindle._training.data_proxy import Proxy
from rekindle._training.data_source import DataListener


class TensorFlowFeed(Feed):
    """The feed on TensorFlow, which reads in its graphs, mostly out of sight.

    Attributes:
        sees_reads: Whether the data is Python code, whose reads rekindle sees.
        reads_ahead: Whether batches are read before training asks for them.
    """

    is_elsewhere = True

    def __init__(self, epoch_iterator: Any, besides: Collection[Any] = ()) -> None:
        super().__init__(epoch_iterator, besides)
        self._unseeded = UnseededArrays.of(epoch_iterator)
        self.sees_reads = False
        self.reads_ahead = True
        self._pace = Pace(self._in_epoch(), may_be_ahead=self._may_prepare())

    def _in_epoch(self) -> int | None:
        """How many batches an epoch reads of an iterator that lives on."""
        if not self.lives_on:
            return None
        together = int(getattr(self._iterator, "steps_per_execution", 1) or 1)
        return -(-int(self._iterator.steps_per_epoch) // together) * together

    def _may_prepare(self) -> bool:
        return self._data.is_prefetched and not self._reach.draws_globally

    @property
    def settles(self) -> bool:
        return not self.reads_ahead

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
        self.sees_reads = self._watch_python(listener)
        # TensorFlow reads its own iterators inside its graphs: nothing can replace them.
        dataset = _unwrapped(self._iterator._distributed_dataset)
        self._iterator._distributed_dataset = Proxy(listener, dataset, reports_reads=False)
        self._data.begin()

    def _watch_python(self, listener: DataListener) -> bool:
        """Wraps the Python iterator in the pipeline. Returns whether there is one."""
        adapter, name = self._iterator.data_adapter, self._data.python_iterator
        original = getattr(adapter, name, None) if name is not None else None
        if name is None or original is None:
            return False
        # Several devices ask for batches ahead, each for its own.
        is_one = self._iterator._distribute_strategy.num_replicas_in_sync == 1
        if is_one and self._data.can_be_in_step:
            self.reads_ahead = False
            pace = self._pace
            setattr(adapter, name, lambda: iter(InStep(listener, original, pace)))
            self._iterator._distributed_dataset = new_pipeline(self._iterator, without_prefetch)
        else:
            setattr(adapter, name, lambda: iter(Proxy(listener, original(), reports_making=False)))
            self._iterator._distributed_dataset = new_pipeline(self._iterator)
        return True

    def detach(self) -> None:
        """The pipeline dies with its fit()."""

    def steps_given(self) -> int | None:
        """How many steps the current iterator has given; ``None``: the listener knows."""
        return int(getattr(self._iterator, "_steps_seen", 0)) if self.reads_ahead else None

    def begin(self, number: int) -> None:
        """Gives this number to the next iterator."""
        self._data.has_made(number)
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
        self.is_alone(True)
        self._advance(iter(self._iterator._distributed_dataset), steps)
        self.is_alone(False)

    def digest(self, batch: Any) -> str | None:
        """A digest of a batch of Python code; other batches stay inside TensorFlow's graph."""
        return batch_digest(batch)

    def is_alone(self, on: bool) -> None:
        """While batches are only read, none is prepared ahead."""
        self._pace.is_replaying = on


def _unwrapped(dataset: Any) -> Any:
    """The dataset itself, also if a proxy stands in its place."""
    return getattr(dataset, "source", dataset)
