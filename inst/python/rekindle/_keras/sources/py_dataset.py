"""A PyDataset of Keras: its workers; and the attributes of data sets that training changes."""

from __future__ import annotations

import contextlib
import queue
import time
from functools import partial
from typing import Any

import keras

from rekindle._base.origin import package_of
from rekindle._frameworks.loaded import loaded
from rekindle._keras.sources.data import Data
from rekindle._training.attributes import Attributes


class PyDatasetData(Data):
    """A PyDataset."""

    python_iterator = "_get_iterator"

    @property
    def _has_workers(self) -> bool:
        return getattr(self._adapter, "enqueuer", None) is not None

    @property
    def settles(self) -> bool:  # type: ignore[override]
        return not self._has_workers

    @property
    def can_be_in_step(self) -> bool:  # type: ignore[override]
        return not self._has_workers

    is_prefetched = True

    def roots(self) -> dict[str, Any]:
        return {"dataset": getattr(self._adapter, "py_dataset", None)}

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


def dataset_state(adapter: Any) -> Attributes:
    """The attributes of the data set behind an adapter, from now on.

    They include those of its helper objects: a data set may draw from a generator of an augmenter.
    """
    loader = getattr(adapter, "_dataloader", None)
    return attributes_of(getattr(adapter, "py_dataset", None) if loader is None else loader)


def attributes_of(data: Any, place: str = "dataset") -> Attributes:
    """The attributes of a PyDataset, or of what a DataLoader reads, from now on.

    Args:
        data: The data as fit() got it.
        place: The beginning of the names of its arrays.
    """
    torch = loaded("torch")
    if torch is not None and isinstance(data, torch.utils.data.DataLoader):
        return Attributes(data, place, partial(_may_be_state_of_loader, data))
    is_dataset = isinstance(data, keras.utils.PyDataset)
    return Attributes(data if is_dataset else None, place, partial(_may_be_state, data))


def _may_be_state(dataset: Any, owner: Any, name: str, _value: Any) -> bool:
    return owner is not dataset or name not in _CONFIGURATION


def _may_be_state_of_loader(loader: Any, owner: Any, name: str, value: Any) -> bool:
    """Of the loader, only the user's objects; its generators are restored by themselves."""
    if owner is loader and name not in ("dataset", "sampler", "batch_sampler", "collate_fn"):
        return False
    return package_of(type(value)) != "torch"


# The attributes that Keras' constructor sets.
_CONFIGURATION = set(vars(keras.utils.PyDataset()))
