"""A PyDataset of Keras, and its workers."""

from __future__ import annotations

import contextlib
import queue
import time
from typing import Any

import keras

from rekindle._keras.sources.data import Data
from rekindle._training.dataset_state import DatasetState


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


def dataset_state(adapter: Any) -> DatasetState:
    """The attributes of the PyDataset behind an adapter; of other data, nothing."""
    return DatasetState(getattr(adapter, "py_dataset", None), _CONFIGURATION)


# The attributes that Keras' constructor sets.
_CONFIGURATION = set(vars(keras.utils.PyDataset()))
