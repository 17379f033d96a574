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

# An attribute that is larger than this holds the data, not a place in it.
_DATA_BYTES = 1 << 26

# Saved attributes, each with its arrays.
Taken = dict[str, tuple[Any, dict[str, AnyArray]]]


class PyDatasetData(Data):
    """A PyDataset."""

    python_iterator = "_get_iterator"

    def begin(self) -> None:
        """Empties the queue of a data set with workers before training begins.

        What Keras' workers prepared while the model was built stands in that queue, as many batches
        as there was time for: the first epochs would begin with these, and with no two runs the
        same.
        """
        ready = getattr(getattr(self._adapter, "enqueuer", None), "ready_queue", None)
        if ready is not None:
            with contextlib.suppress(queue.Empty):
                while True:
                    ready.get(block=False)

    def wait(self) -> None:
        """Waits until the workers have shuffled, by Python's own random generator.

        They do so in a thread of theirs, at the beginning of the epoch; without waiting, whether
        this comes before or after the next draw is a matter of luck.
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

    Only those that differ from what they were then are state. What the script sets is the
    script's, and no save changes it: paths, the number of workers, functions.

    Args:
        dataset: The PyDataset; ``None`` when the data is of another kind, which has no such state.

    Attributes:
        lost: ``Class.attribute`` of what does not come back, each with the reason.
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
        """What has changed, with copies of the arrays."""
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
        """As JSON values; the arrays go into `arrays`."""
        for _, own in taken.values():
            arrays.update(own)
        return {name: saved for name, (saved, _) in taken.items()}

    def check(self, saved: Any, arrays: Mapping[str, AnyArray]) -> None:
        """Checks what :meth:`put` would put back.

        Raises:
            BrokenTreeError: It is not what was taken, or it would change what the script set.
        """
        self._read(saved, arrays)

    def put(self, saved: Any, arrays: Mapping[str, AnyArray]) -> None:
        """Puts the attributes back; raises as :meth:`check` does, before anything is changed."""
        for put in self._read(saved, arrays):
            put()

    def _read(self, saved: Any, arrays: Mapping[str, AnyArray]) -> list[Callable[[], None]]:
        if not isinstance(saved, dict):
            raise BrokenTreeError("the state of the data set is not an object")
        if self._dataset is None:
            return []
        puts = [self._baseline.read(name, state, arrays) for name, state in saved.items()]
        # The class may have changed since, and not know a name any more.
        return [put for put in puts if put is not None]


# What Keras' constructor sets.
_CONFIGURATION = set(vars(keras.utils.PyDataset()))
