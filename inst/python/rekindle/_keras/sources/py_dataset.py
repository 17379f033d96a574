"""A PyDataset of Keras: its workers, and its attributes that training changes."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._codec import kinds
from rekindle._codec.changeable import Baseline
from rekindle._keras.sources.data import Data
from rekindle.errors import BrokenTreeError, UnsupportedValueError

# An attribute that is larger than this holds the data, not a position in the data.
_DATA_BYTES = 1 << 26

# Saved attributes, each with its arrays.
Taken = dict[str, tuple[Any, dict[str, AnyArray]]]


class PyDatasetData(Data):
    """A PyDataset."""

    python_iterator = "_get_iterator"

    def begin(self) -> None:
        """Empties the queue of a data set with workers before training begins.

        Keras' workers fill that queue while the model is built, with as many batches as there is
        time for. The first epochs would begin with these batches, and no two runs would be the
        same.
        """
        ready = getattr(getattr(self._adapter, "enqueuer", None), "ready_queue", None)
        if ready is not None:
            with contextlib.suppress(queue.Empty):
                while True:
                    ready.get(block=False)

    def wait(self) -> None:
        """Waits until the workers have shuffled, by Python's own random generator.

        They shuffle in a thread of their own, at the beginning of the epoch. Without waiting, it
        would be a matter of luck whether they shuffle before or after the next draw.
        """
        enqueuer: Any = getattr(self._adapter, "enqueuer", None)
        thread = getattr(enqueuer, "run_thread", None)
        while (
            thread is not None
            and thread.is_alive()
            and enqueuer.is_running()
            and enqueuer.future_queue.empty()
            and enqueuer.ready_queue.empty()
        ):
            time.sleep(0.001)


class DatasetState:
    """The attributes of one data set, from the beginning of a fit().

    An attribute is state only if its value differs from the value at that moment. No checkpoint
    changes the values that the script sets: paths, the number of workers, functions.

    Args:
        dataset: The PyDataset; ``None`` if the data is of another kind, which has no such state.

    Attributes:
        lost: Attributes that are not restored: ``Class.attribute`` and the reason.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self.lost: dict[str, str] = {}
        self._baseline = Baseline(self._attributes(), dataset)

    def _attributes(self) -> dict[str, Any]:
        if self._dataset is None:
            return {}
        return {
            name: value
            for name, value in vars(self._dataset).items()
            if name not in _CONFIGURATION and getattr(value, "nbytes", 0) <= _DATA_BYTES
        }

    def take(self) -> Taken:
        """Captures the changed attributes, with copies of the arrays."""
        taken: Taken = {}
        self.lost = {}
        for name, value in self._attributes().items():
            arrays: dict[str, AnyArray] = {}
            try:
                saved = kinds.take(value, f"dataset/{name}", arrays)
            except UnsupportedValueError:
                continue
            if self._baseline.is_as_it_was(name, saved, arrays):
                continue
            refusal = self._baseline.refusal(name, saved, arrays)
            if refusal is not None:
                self.lost[f"{type(self._dataset).__name__}.{name}"] = refusal
                continue
            taken[name] = saved, {key: np.array(array) for key, array in arrays.items()}
        return taken

    @staticmethod
    def flatten(taken: Taken, arrays: dict[str, AnyArray]) -> dict[str, Any]:
        """Turns them into JSON values; the arrays go into `arrays`."""
        for _, own in taken.values():
            arrays.update(own)
        return {name: saved for name, (saved, _) in taken.items()}

    def check(self, saved: Any, arrays: Mapping[str, AnyArray]) -> None:
        """Checks the attributes that :meth:`put` would restore.

        Raises:
            BrokenTreeError: They are not captured attributes, or they would change values that the
                script set.
        """
        self._read(saved, arrays)

    def put(self, saved: Any, arrays: Mapping[str, AnyArray]) -> None:
        """Restores the attributes; raises as :meth:`check` does, before anything is changed."""
        for put in self._read(saved, arrays):
            put()

    def _read(self, saved: Any, arrays: Mapping[str, AnyArray]) -> list[Callable[[], None]]:
        if not isinstance(saved, dict):
            raise BrokenTreeError("the state of the data set is not an object")
        if self._dataset is None:
            return []
        puts = [self._baseline.read(name, state, arrays) for name, state in saved.items()]
        # The class may have changed since, and may no longer know a name.
        return [put for put in puts if put is not None]


# The attributes that Keras' constructor sets.
_CONFIGURATION = set(vars(keras.utils.PyDataset()))
