"""Python code that TensorFlow reads: batch by batch, when training asks for it.

Keras lets TensorFlow read a Python generator or a `PyDataset` ahead, on another thread. Then it is
a matter of luck which random numbers a batch gets, if anything else draws from the same generator.
And no state of the data belongs to the batch that is trained. So rekindle has the pipeline read
nothing ahead. A thread here prepares one batch while a step is computed, but only as long as no
batch draws from a generator of the process, and never beyond the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from rekindle._training import random_states
from rekindle._training.data_proxy import forget_foreign_thread
from rekindle._training.data_source import DataListener

# So many reads are looked at before one is made ahead. The first may draw the order of the epoch.
_LOOKS = 2


def without_prefetch(dataset: Any) -> Any:
    """The dataset, without the step at its end that reads it ahead; and TensorFlow adds none."""
    import tensorflow as tf

    if "PrefetchDataset" in type(dataset).__name__:
        dataset = getattr(dataset, "_input_dataset", dataset)
    options = tf.data.Options()
    options.autotune.enabled = False
    if hasattr(options.experimental_optimization, "inject_prefetch"):
        options.experimental_optimization.inject_prefetch = False
    return dataset.with_options(options)


class Pace:
    """Whether the next batch may be prepared while a step is computed.

    Args:
        in_epoch: How many batches an epoch reads of an iterator that lives on; ``None`` if each
            epoch has an iterator of its own.
        may_be_ahead: ``False``: no batch may ever be prepared ahead.
    """

    def __init__(self, in_epoch: int | None, *, may_be_ahead: bool) -> None:
        self._in_epoch = in_epoch
        self.may_be_ahead = may_be_ahead
        # Reads were seen to draw from a generator of the process.
        self.draws = False
        # Batches are only read to come to a place in the data.
        self.is_replaying = False

    def allows(self, reads: int) -> bool:
        """Whether the batch after so many may be prepared now."""
        if self.draws or self.is_replaying or not self.may_be_ahead or reads < _LOOKS:
            return False
        return self._in_epoch is None or reads % self._in_epoch != 0


class InStep:
    """An iterator that TensorFlow reads.

    Args:
        listener: Receives the reports, in the order of training.
        make: Makes the iterator.
        pace: Decides what is prepared ahead.
    """

    def __init__(
        self, listener: DataListener, make: Callable[[], Iterator[Any]], pace: Pace
    ) -> None:
        self._listener = listener
        self._make = make
        self._pace = pace

    def __iter__(self) -> Iterator[Any]:
        return _Reader(self._listener, iter(self._make()), self._pace)


class _Reader:
    def __init__(self, listener: DataListener, iterator: Iterator[Any], pace: Pace) -> None:
        self._listener = listener
        self._iterator = iterator
        self._pace = pace
        self._reads = 0
        self._thread: ThreadPoolExecutor | None = None
        self._prepared: Future[tuple[Any, bool]] | None = None

    def __iter__(self) -> _Reader:
        return self

    def __next__(self) -> Any:
        if not self._reads:
            self._listener.first_read()
            forget_foreign_thread()
        prepared, self._prepared = self._prepared, None
        # Training waits for this batch: nothing else draws while it is read here.
        looks = self._pace.may_be_ahead and not self._pace.draws
        batch, drew = self._read(looks=looks) if prepared is None else prepared.result()
        self._reads += 1
        if batch is _END:
            self._close()
            raise StopIteration
        if drew and self._reads > 1:
            self._pace.draws = True
        # A batch that was prepared beside a step has drawn too early.
        self._listener.has_read(batch, drew=drew and prepared is not None)
        if self._pace.allows(self._reads):
            self._prepare()
        return batch

    def _read(self, *, looks: bool) -> tuple[Any, bool]:
        """A batch, and whether reading it has changed a random state of the process."""
        before = random_states.mark() if looks else None
        batch = next(self._iterator, _END)
        return batch, looks and random_states.mark() != before

    def _prepare(self) -> None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "rekindle reads data")
        self._prepared = self._thread.submit(self._read, looks=True)

    def _close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False)


_END = object()
