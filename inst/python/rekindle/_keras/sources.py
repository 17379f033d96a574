"""What is particular to each kind of data that fit() takes."""

from __future__ import annotations

import contextlib
import queue
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from rekindle._base.arrays import AnyArray, as_bytes, digest
from rekindle._frameworks import table as frameworks


def is_tensorflow() -> bool:
    return bool(keras.backend.backend() == "tensorflow")


def shuffling_dataset(epoch_iterator: Any) -> Any:
    """The tf.data dataset whose shuffles depend on how many iterators were made of it, if any.

    Those that wrap Python code are left out: each iterator would run that code.
    """
    adapter = epoch_iterator.data_adapter
    if type(adapter).__name__ not in ("TFDatasetAdapter", "ArrayDataAdapter"):
        return None
    if is_tensorflow():
        return unwrapped(getattr(epoch_iterator, "_distributed_dataset", None))
    dataset = getattr(adapter, "_dataset", None)
    return dataset if hasattr(dataset, "element_spec") else None


def unwrapped(dataset: Any) -> Any:
    """The dataset itself, where a watcher stands in its place."""
    return getattr(dataset, "source", dataset)


def loader_generators(adapter: Any) -> list[Any]:
    """The random generators of a PyTorch DataLoader and of its samplers, each once."""
    torch = sys.modules.get("torch")
    loader = getattr(adapter, "_dataloader", None)
    if torch is None or loader is None:
        return []
    batch_sampler = getattr(loader, "batch_sampler", None)
    owners = [
        loader,
        getattr(loader, "sampler", None),
        batch_sampler,
        getattr(batch_sampler, "sampler", None),
    ]
    found = [getattr(owner, "generator", None) for owner in owners]
    unique = {id(g): g for g in found if isinstance(g, torch.Generator)}
    return list(unique.values())


def take_loaders(adapter: Any) -> list[AnyArray]:
    """The states of those generators."""
    return [generator.get_state().numpy() for generator in loader_generators(adapter)]


def put_loaders(adapter: Any, states: list[AnyArray]) -> None:
    """Puts such states back."""
    for generator, state in zip(loader_generators(adapter), states, strict=False):
        import torch

        generator.set_state(torch.from_numpy(np.array(state)))


def drop_early_batches(adapter: Any) -> None:
    """Empties the queue of a PyDataset with workers before training begins.

    What Keras' workers prepared while the model was built stands in that queue, as many batches as
    there was time for: the first epochs would begin with these, and with no two runs the same.
    """
    ready = getattr(getattr(adapter, "enqueuer", None), "ready_queue", None)
    if ready is not None:
        with contextlib.suppress(queue.Empty):
            while True:
                ready.get(block=False)


def wait_for_workers(adapter: Any) -> None:
    """Waits until the workers of a PyDataset have shuffled, by Python's own random generator.

    They do so in a thread of theirs, at the beginning of the epoch; without waiting, whether this
    comes before or after the next draw is a matter of luck.
    """
    enqueuer: Any = getattr(adapter, "enqueuer", None)
    thread = getattr(enqueuer, "run_thread", None)
    while (
        thread is not None
        and thread.is_alive()
        and enqueuer.is_running()
        and enqueuer.future_queue.empty()
        and enqueuer.ready_queue.empty()
    ):
        time.sleep(0.001)


# Which method gives the Python iterator that a tf.data pipeline wraps, by the adapter's class.
_PYTHON_SOURCES = {
    "TorchDataLoaderAdapter": "get_numpy_iterator",
    "PyDatasetAdapter": "_get_iterator",
    "GeneratorDataAdapter": "generator",
}


def watch_python_source(epoch_iterator: Any, watch: Callable[[Any], Any]) -> bool:
    """Wraps the Python iterator inside a tf.data pipeline: whether there is one."""
    adapter = epoch_iterator.data_adapter
    name = _PYTHON_SOURCES.get(type(adapter).__name__)
    original = getattr(adapter, name, None) if name is not None else None
    if name is None or original is None:
        return False
    setattr(adapter, name, lambda: iter(watch(original())))
    epoch_iterator._distributed_dataset = _new_pipeline(epoch_iterator)
    return True


def _new_pipeline(epoch_iterator: Any) -> Any:
    """TensorFlow's pipeline of the data, made anew; nothing is read."""
    dataset = epoch_iterator.data_adapter.get_tf_dataset()
    return epoch_iterator._distribute_strategy.experimental_distribute_dataset(dataset)


def batch_digest(batch: Any) -> str | None:
    """A digest of a batch's arrays; ``None`` when there is no batch, or it holds none."""
    arrays = [np.asarray(_as_host_array(leaf)) for leaf in _leaves(batch)]
    parts = [f"{array.dtype}{array.shape}{_digest(array)}" for array in arrays]
    return digest("".join(parts).encode()) if parts else None


def _as_host_array(leaf: Any) -> Any:
    known = frameworks.framework(leaf)
    return frameworks.to_numpy(leaf) if known else keras.ops.convert_to_numpy(leaf)


def _digest(array: AnyArray) -> str:
    return digest(as_bytes(array)) if array.dtype != object else ""


def _leaves(batch: Any) -> Iterator[Any]:
    for leaf in keras.tree.flatten(batch):
        if isinstance(leaf, np.ndarray | np.generic) or keras.ops.is_tensor(leaf):
            yield leaf


class UnseededArrays:
    """Arrays shuffled by TensorFlow without a seed: made to be shuffled by a seed of ours.

    Without `keras.utils.set_random_seed()`, TensorFlow's shuffle of arrays cannot be repeated by
    anybody. The same data is drawn in an order that depends on `base` and on the number of the
    iterator alone.

    Both stand in variables of the pipeline, which takes tens of milliseconds to make: it is made
    once, when it is wanted.
    """

    def __init__(self, epoch_iterator: Any) -> None:
        import tensorflow as tf

        self._iterator = epoch_iterator
        self._pipeline: Any = None
        self._base = tf.Variable(secrets.randbits(31), dtype=tf.int64, trainable=False)
        self._number = tf.Variable(0, dtype=tf.int64, trainable=False)

    @classmethod
    def of(cls, epoch_iterator: Any) -> UnseededArrays | None:
        """For the data of this fit(); ``None`` when it is of another kind, or can be repeated."""
        adapter = epoch_iterator.data_adapter
        if not is_tensorflow() or type(adapter).__name__ != "ArrayDataAdapter":
            return None
        from tensorflow.python.eager import context

        is_seeded = context.global_seed() is not None
        is_one = epoch_iterator._distribute_strategy.num_replicas_in_sync == 1
        if is_seeded or not is_one or not getattr(adapter, "_shuffle", False):
            return None
        return cls(epoch_iterator)

    @property
    def base(self) -> int:
        """The seed of every iterator made from now on."""
        return int(self._base.numpy())

    @base.setter
    def base(self, base: int) -> None:
        self._base.assign(base)

    def begin(self, number: int) -> Any:
        """The pipeline, of which the next iterator is the one of this number."""
        if self._pipeline is None:
            with self._shuffling_by_base():
                self._pipeline = _new_pipeline(self._iterator)
        self._number.assign(number)
        return self._pipeline

    @contextlib.contextmanager
    def _shuffling_by_base(self) -> Iterator[None]:
        # The adapter's own pipeline, with one operation of it exchanged while its graph is traced.
        import tensorflow as tf

        original, base, number = tf.random.shuffle, self._base, self._number

        def shuffle(value: Any) -> Any:
            # With shuffle="batch" each batch is shuffled by itself: its first index makes it
            # differ.
            seed = tf.stack([base.read_value() + tf.cast(value[0], tf.int64), number.read_value()])
            return tf.random.experimental.stateless_shuffle(value, seed=seed)

        tf.random.shuffle = shuffle
        try:
            yield
        finally:
            tf.random.shuffle = original
