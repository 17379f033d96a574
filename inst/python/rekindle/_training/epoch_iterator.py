"""The epoch iterator of Keras 3, which Synalinks has, too: counts of batches, and its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class EpochIterator:
    """The part of a data source that asks the library's own epoch iterator.

    Args:
        iterator: The epoch iterator of the fit().
    """

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator

    @property
    def batches(self) -> int | None:
        """How many batches an epoch has, if the library knows."""
        known = self._iterator.steps_per_epoch or self._iterator._num_batches
        return None if known is None else int(known)

    @property
    def most_batches(self) -> int | None:
        """How many batches it may count: the last execution may count more than there are."""
        spare = int(getattr(self._iterator, "steps_per_execution", 1) or 1) - 1
        return None if self.batches is None else self.batches + spare

    @property
    def counted(self) -> int | None:
        """How many batches an epoch was found to have, once one has ended."""
        found: int | None = self._iterator._num_batches
        return found

    @counted.setter
    def counted(self, count: int | None) -> None:
        # If the data itself gives the number, that number counts.
        if self._iterator._num_batches is None:
            self._iterator._num_batches = count

    @property
    def lives_on(self) -> bool:
        """Whether one iterator serves many epochs."""
        return self._iterator.steps_per_epoch is not None

    def is_live(self) -> bool:
        """Whether the last epoch's iterator continues in the next, as with `steps_per_epoch`."""
        iterator = self._iterator
        return iterator.steps_per_epoch is not None and iterator._current_iterator is not None

    def _advance(self, reborn: Iterator[Any], steps: int) -> None:
        """Makes this the iterator that continues across epochs, and reads so many steps of it."""
        for _ in range(steps):
            next(reborn)
        self._iterator._current_iterator = reborn
        self._iterator._steps_seen = steps
