"""How tf_keras reads the data of a fit(), and how to come to a place in it again.

tf_keras makes an iterator before the epoch begins: of most data one for each epoch, of arrays, of
generators and with `steps_per_epoch` one for all epochs. TensorFlow reads it ahead, in threads of
its own.
"""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from rekindle._base.arrays import AnyArray
from rekindle._tf_keras import internals
from rekindle._tf_keras.arrays import ArrayPipeline
from rekindle._training import random_states
from rekindle._training.attributes import Attributes
from rekindle._training.data_source import DataListener, WithoutOwn

# Seconds to wait for a second batch to be read ahead, to see whether reading it draws.
_PATIENCE = 0.5


# The data of earlier fit()s of this process, by their ids.
_read: dict[int, Any] = {}


def _is_same(reference: Any, data: Any) -> bool:
    return reference is not None and reference() is data


class Feed(WithoutOwn):
    """The source in which :class:`rekindle._training.data_cursor.DataCursor` has a position.

    Args:
        fit: The arguments of the fit(), with its data handler.
    """

    reads_ahead = True
    made_early = True
    is_elsewhere = True
    lives_on = False
    settles = False

    def __init__(self, fit: Mapping[str, Any]) -> None:
        self._handler = fit["data_handler"]
        self._adapter = self._handler._adapter
        self._kinds = {kind.__name__ for kind in type(self._adapter).__mro__}
        self.sees_reads = "GeneratorDataAdapter" in self._kinds
        self._arrays: ArrayPipeline | None = None
        if ArrayPipeline.is_for(self._handler) and "x" in fit:
            self._arrays = ArrayPipeline(self._handler, fit)
            self._adapter = self._handler._adapter
        self._listener: DataListener | None = None
        # How many steps the iterator gave before this epoch, if it is one for all epochs.
        self._before = 0
        self._is_made = False
        self._is_alone = False
        self._mark: Any = None
        self._reads = 0
        self._draws = False
        self.validations = 0
        self.is_used = _is_same(_read.get(id(fit.get("x"))), fit.get("x"))
        self._given_data = fit.get("x")
        self._has_validated = False

    @property
    def draws(self) -> Collection[str]:
        """Random states that reads were seen to draw from, while nothing else did."""
        return random_states.DRAWN_AHEAD if self._draws else ()

    @property
    def sequence(self) -> Any:
        """The user's `Sequence`; ``None`` if the data is of another kind."""
        return getattr(self._adapter, "_keras_sequence", None)

    @property
    def batches(self) -> int | None:
        known = self._handler._steps_per_epoch or self._handler._inferred_steps
        return None if known is None or known < 0 else int(known)

    @property
    def most_batches(self) -> int | None:
        return self.batches

    @property
    def counted(self) -> int | None:
        found: int | None = self._handler._inferred_steps
        return found

    @counted.setter
    def counted(self, count: int | None) -> None:
        # If the data itself gives the number, that number counts.
        if self._handler._inferred_steps is None:
            self._handler._inferred_steps = count

    @property
    def seed(self) -> int | None:
        """The seed of shuffled arrays that have none of their own; ``None`` for other data."""
        return None if self._arrays is None else self._arrays.seed

    @seed.setter
    def seed(self, seed: int | None) -> None:
        if seed is not None and self._arrays is not None:
            self._arrays.seed = seed

    @property
    def began(self) -> int:
        """The epoch with which arrays begin; without arrays, it does not matter."""
        return 0 if self._arrays is None else self._arrays.began

    @began.setter
    def began(self, epoch: int) -> None:
        if self._arrays is not None:
            self._arrays.began = epoch

    def attach(self, listener: DataListener) -> None:
        """Reports each iterator to the listener, from now on."""
        self._listener = listener
        self._watch("should_recreate_iterator", self._makes)
        self._watch("on_epoch_end", self._epoch_ended)
        if self.sees_reads:
            self._watch("_standardize_batch", self._has_read)

    def _watch(self, name: str, note: Callable[[], None]) -> None:
        original = getattr(self._adapter, name)

        def watched(*args: Any) -> Any:
            note()
            return original(*args)

        vars(self._adapter)[name] = watched

    def detach(self) -> None:
        for name in internals.WATCHED:
            vars(self._adapter).pop(name, None)

    def _makes(self) -> None:
        """tf_keras is about to make an iterator, or has made the one for all epochs."""
        if self._listener is not None and (not self._is_one or not self._is_made):
            self._is_made = True
            with contextlib.suppress(TypeError):  # Not everything can be referred to weakly.
                _read[id(self._given_data)] = weakref.ref(self._given_data)
            self._listener.made()

    def _epoch_ended(self) -> None:
        self._before = self.steps_given()
        self._handler._current_step = 0

    @property
    def _is_one(self) -> bool:
        """Whether tf_keras makes one iterator for all epochs."""
        return not type(self._adapter).should_recreate_iterator(self._adapter)

    def is_live(self) -> bool:
        """Whether the iterator continues in the next epoch."""
        return self._is_one and self.batches is not None

    def steps_given(self) -> int:
        """How many steps the iterator for all epochs has given."""
        return self._before + int(self._handler._current_step)

    def wait(self) -> None:
        """An iterator can be made at any time."""

    def begin(self, number: int) -> None:
        """tf_keras counts no iterators."""

    def renew(self, times: int) -> None:
        """Makes so many iterators of data that counts them, and reads none.

        But a cache is filled in the first epoch: that epoch is read, as its order stays.
        """
        if not times or not self._kinds & {"DatasetAdapter", "CompositeTensorDataAdapter"}:
            return
        dataset = self._handler._dataset
        if not _caches(dataset):
            for _ in range(times):
                iter(dataset)
            return
        # The first iterator of a fit() is not read, and the second is that of the first epoch. So
        # the last of these is the first of this fit(), which is not read.
        iterators = [iter(dataset) for _ in range(times + 1)]
        for _ in iterators[1]:
            pass
        self._handler._dataset = _Made(self._handler, dataset, iterators[-1])

    def advance(self, steps: int) -> None:
        """Makes the iterator that continues across epochs, and reads so many steps of it."""
        self._before = steps
        self._makes()
        if self._arrays is not None and self._arrays.can_begin_anywhere:
            if steps or self._arrays.seed is not None:
                self._arrays.make(steps)
                self._adapter = self._handler._adapter
            return
        if self._arrays is not None and self._arrays.seed is not None:
            self._arrays.make(0)
            self._adapter = self._handler._adapter
        dataset = self._handler._dataset
        reborn = iter(dataset)
        if self._listener is not None:
            self._listener.first_read()
        self.is_alone(True)
        for _ in range(steps):
            next(reborn)
        self.is_alone(False)
        self._handler._dataset = _Made(self._handler, dataset, reborn)

    def continue_epochs(self) -> None:
        """Does what tf_keras does between a checkpoint at an epoch's end and the next epoch."""
        if self.sequence is not None:
            self.sequence.on_epoch_end()

    def validation_begins(self, handler: Any) -> None:
        """Makes as many iterators of validation data that counts them as were made before."""
        adapter: Any = getattr(handler, "_adapter", None)
        if not self._has_validated and type(adapter).__name__ == "DatasetAdapter":
            in_each = 2 if adapter.should_recreate_iterator() else 1
            for _ in range(self.validations * in_each):
                iter(handler._dataset)
        self._has_validated = True
        self.validations += 1

    def is_alone(self, on: bool) -> None:
        """Between a call with true and one with false, only the data draws random numbers.

        Afterwards, `draws` says whether it does.
        """
        if on:
            self._reads, self._mark = 0, None if self.sees_reads else random_states.fast_mark()
            self._is_alone = True
            return
        if self._is_alone and self.sees_reads:
            until = time.monotonic() + _PATIENCE
            while self._reads == 1 and time.monotonic() < until:
                time.sleep(0.001)
        elif self._is_alone:
            self._draws = self._draws or random_states.fast_mark() != self._mark
        self._is_alone = False

    def _has_read(self) -> None:
        """Python code has given a batch, on a thread of TensorFlow."""
        if not self._is_alone:
            return
        mark = random_states.fast_mark()
        # The first read may draw once for the epoch, as the order of a `Sequence` is drawn.
        self._draws = self._draws or (self._mark is not None and mark != self._mark)
        self._mark = mark
        self._reads += 1

    def digest(self, batch: Any) -> str | None:
        """``None``: batches stay inside TensorFlow's graph."""
        return None

    def generators(self) -> list[AnyArray]:
        return []

    def set_generators(self, states: list[AnyArray]) -> None:
        """No data of tf_keras has such generators."""

    def dataset_state(self) -> Attributes:
        """The attributes of a `Sequence`, from now on."""
        return Attributes(self.sequence, "dataset")


class _Made:
    """Stands in the place of the dataset until tf_keras asks for the iterator that is made."""

    def __init__(self, handler: Any, dataset: Any, iterator: Any) -> None:
        self._handler = handler
        self._dataset = dataset
        self._iterator = iterator

    def __iter__(self) -> Iterator[Any]:
        self._handler._dataset = self._dataset
        made: Iterator[Any] = self._iterator
        return made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)


def _caches(dataset: Any) -> bool:
    """Whether a part of the pipeline keeps what its first whole reading gave."""
    inner = getattr(dataset, "_original_dataset", None)
    inputs = [inner] if inner is not None else getattr(dataset, "_inputs", list)()
    return "Cache" in type(dataset).__name__ or any(_caches(one) for one in inputs)
