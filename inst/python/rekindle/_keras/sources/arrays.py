"""NumPy arrays and the like, in memory: shuffled by our own seed if Keras has none."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from rekindle._keras.sources.data import Data


class ArrayData(Data):
    """Arrays in memory."""

    counts_iterators = True
    settles = True

    def roots(self) -> dict[str, Any]:
        return {}


def new_pipeline(epoch_iterator: Any, change: Callable[[Any], Any] = lambda made: made) -> Any:
    """Makes TensorFlow's pipeline of the data anew, and reads nothing.

    Args:
        epoch_iterator: Keras' own epoch iterator.
        change: Changes the pipeline before it is distributed.
    """
    dataset = change(epoch_iterator.data_adapter.get_tf_dataset())
    return epoch_iterator._distribute_strategy.experimental_distribute_dataset(dataset)


class UnseededArrays:
    """Arrays that TensorFlow shuffles without a seed: makes it shuffle them by our own seed.

    Without `keras.utils.set_random_seed()`, TensorFlow's shuffle of arrays cannot be repeated. This
    class draws the same data in an order that depends only on `base` and on the number of the
    iterator.

    Both are variables of the pipeline. Making a pipeline takes tens of milliseconds, so this class
    makes it once, when it is needed.
    """

    def __init__(self, epoch_iterator: Any) -> None:
        import tensorflow as tf

        self._iterator = epoch_iterator
        self._pipeline: Any = None
        self._base = tf.Variable(secrets.randbits(31), dtype=tf.int64, trainable=False)
        self._number = tf.Variable(0, dtype=tf.int64, trainable=False)

    @classmethod
    def of(cls, epoch_iterator: Any) -> UnseededArrays | None:
        """For data on TensorFlow; ``None`` if it is of another kind, or can be repeated."""
        adapter = epoch_iterator.data_adapter
        if type(adapter).__name__ != "ArrayDataAdapter":
            return None
        from tensorflow.python.eager import context

        is_seeded = context.global_seed() is not None
        is_one = epoch_iterator._distribute_strategy.num_replicas_in_sync == 1
        if is_seeded or not is_one or not getattr(adapter, "_shuffle", False):
            return None
        return cls(epoch_iterator)

    @property
    def base(self) -> int:
        """The seed of all iterators made from now on."""
        return int(self._base.numpy())

    @base.setter
    def base(self, base: int) -> None:
        self._base.assign(base)

    def begin(self, number: int) -> Any:
        """The pipeline, after giving this number to its next iterator."""
        if self._pipeline is None:
            with self._shuffling_by_base():
                self._pipeline = new_pipeline(self._iterator)
        self._number.assign(number)
        return self._pipeline

    @contextlib.contextmanager
    def _shuffling_by_base(self) -> Iterator[None]:
        # This is the adapter's own pipeline, but one operation is replaced while its graph is
        # traced.
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
