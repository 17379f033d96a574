"""How Synalinks reads the data of a fit(), and how to come to a place in it again."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray, digest
from rekindle._training.attributes import Attributes
from rekindle._training.data_proxy import Proxy
from rekindle._training.data_source import DataListener, WithoutOwn
from rekindle._training.epoch_iterator import EpochIterator


class Source(EpochIterator, WithoutOwn):
    """The source in which :class:`rekindle._training.data_cursor.DataCursor` has a position.

    Synalinks reads batch by batch, with no thread beside training, from an iterator that it makes
    when an epoch has begun. With `steps_per_epoch`, it makes one for all epochs.

    Args:
        epoch_iterator: Synalinks' own epoch iterator, of the fit().
        data: The user's data.
    """

    made_early = False
    reads_ahead = False
    sees_reads = True
    draws = ()
    is_elsewhere = False
    settles = True
    validations = 0
    began = 0
    is_used = False

    def __init__(self, epoch_iterator: Any, data: Any) -> None:
        super().__init__(epoch_iterator)
        self._data = data

    @property
    def seed(self) -> int | None:
        """``None``: Synalinks does not shuffle."""
        return None

    @seed.setter
    def seed(self, seed: int | None) -> None:
        """Has no effect."""

    def attach(self, listener: DataListener) -> None:
        """Reports each iterator and each batch to the listener, from now on."""
        make = self._iterator._get_iterator
        self._iterator._get_iterator = lambda: Proxy(listener, make())

    def detach(self) -> None:
        vars(self._iterator).pop("_get_iterator", None)

    def steps_given(self) -> int | None:
        """``None``: the listener sees the steps."""
        return None

    def wait(self) -> None:
        """An iterator can be made at any time."""

    def begin(self, number: int) -> None:
        """Synalinks counts no iterators."""

    def renew(self, times: int) -> None:
        """Reads a generator to its end, once for each earlier epoch. Other data begins again."""
        if hasattr(self._data, "__next__"):
            for _ in range(times):
                for _ in self._iterator.data_adapter.get_numpy_iterator():
                    pass

    def advance(self, steps: int) -> None:
        """Makes the iterator that continues across epochs, and reads so many steps of it."""
        self._advance(iter(self._iterator._get_iterator()), steps)

    def continue_epochs(self) -> None:
        """Synalinks has ended the epoch before a checkpoint at its end."""

    def is_alone(self, on: bool) -> None:
        """The listener sees which reads draw."""

    def digest(self, batch: Any) -> str | None:
        """A digest of a batch of data models; ``None`` if it holds anything else."""
        try:
            values = [[one.get_json() for one in part] for part in batch]
            return digest(json.dumps(values, sort_keys=True).encode())
        except (AttributeError, TypeError, ValueError):
            return None

    def generators(self) -> list[AnyArray]:
        return []

    def set_generators(self, states: list[AnyArray]) -> None:
        """No data of Synalinks has such generators."""

    def dataset_state(self) -> Attributes:
        """The attributes of an object of the user that gives batches, from now on."""
        is_object = hasattr(self._data, "__dict__") and not isinstance(self._data, np.ndarray)
        return Attributes(self._data if is_object else None, "dataset")
