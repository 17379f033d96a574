"""The kinds of data that fit() of tf_keras accepts: 83 samples in 11 batches, the last partial."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import tf_keras

FEATURES = 6
SAMPLES = 83
BATCH = 8

ALL = ("tf_keras",)


@dataclasses.dataclass(frozen=True)
class Source:
    """A way to give data to fit().

    Attributes:
        make: Makes new arguments for fit().
        backends: The names under which the table shows it.
        steps_per_execution: The argument for compile().
        unbuilt: Whether the model makes its variables only when it sees the data.
        seeded: Whether the script seeds all random generators at its beginning.
        draws: Whether the data draws from NumPy's global generator: then no callback does.
    """

    make: Callable[[], dict]
    backends: tuple[str, ...] = ALL
    steps_per_execution: int = 1
    unbuilt: bool = False
    seeded: bool = True
    draws: bool = False


def _xy():
    rng = np.random.RandomState(0)
    x = rng.normal(size=(SAMPLES, FEATURES)).astype("float32")
    y = (x[:, :1] * 2 - x[:, 1:2] + rng.normal(size=(SAMPLES, 1)) * 0.3).astype("float32")
    return x, y


def _validation():
    x, y = _xy()
    return x[:20], y[:20]


def _with(**more):
    def make():
        x, y = _xy()
        return {"x": x, "y": y, "batch_size": BATCH, "validation_data": _validation()} | more

    return make


def _split():
    x, y = _xy()
    return {"x": x, "y": y, "batch_size": BATCH, "validation_split": 0.2}


def _class_weight():
    x, y = _xy()
    labels = (y > 0).astype("int32")
    return {
        "x": x,
        "y": labels,
        "batch_size": BATCH,
        "class_weight": {0: 1.0, 1: 2.5},
        "validation_data": (x[:20], labels[:20]),
    }


def _ragged():
    import tensorflow as tf

    x, y = _xy()
    sparse = tf.sparse.from_dense(np.where(np.abs(x) > 0.3, x, 0.0).astype("float32"))
    return {"x": sparse, "y": y, "batch_size": BATCH}


class _Batches(tf_keras.utils.Sequence):
    """A data set that shuffles itself after each epoch, and draws noise from its own generator."""

    def __init__(self, noisy=True):
        self.x, self.y = _xy()
        self.order = np.arange(SAMPLES)
        self.rng = np.random.default_rng(3)
        self.noisy = noisy

    def __len__(self):
        return -(-SAMPLES // BATCH)

    def __getitem__(self, index):
        rows = self.order[index * BATCH : (index + 1) * BATCH]
        return self.x[rows], self.y[rows]

    def on_epoch_end(self):
        self.order = self.rng.permutation(SAMPLES) if self.noisy else np.roll(self.order, 5)


class _Drawing(_Batches):
    """A data set that draws from NumPy's global generator with each batch."""

    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return x + np.random.normal(size=x.shape).astype("float32") * 0.1, y


class _Still(_Batches):
    """A data set that never changes."""

    on_epoch_end = tf_keras.utils.Sequence.on_epoch_end


def _sequence(kind=_Batches, noisy=True, **more):
    def make():
        return {"x": kind(noisy), "validation_data": _validation()} | more

    return make


def _tf_data(change=lambda dataset: dataset, validation=_validation, **more):
    def make():
        import tensorflow as tf

        dataset = tf.data.Dataset.from_tensor_slices(_xy()).shuffle(SAMPLES)
        dataset = change(dataset.batch(BATCH)).prefetch(2)
        return {"x": dataset, "validation_data": validation()} | more

    return make


def _unknown_length(dataset):
    return dataset.filter(lambda x, y: True)


def _augmented(dataset):
    import tensorflow as tf

    return dataset.map(lambda x, y: (x + tf.random.normal(tf.shape(x)) * 0.1, y))


def _shuffled_validation():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(_validation()).shuffle(20).batch(3)


def _generator(draw):
    def make():
        x, y = _xy()

        def batches():
            own = np.random.default_rng(9)
            while True:
                rows = (own if draw == "own" else np.random).permutation(SAMPLES)[:BATCH]
                yield x[rows], y[rows]

        return {"x": batches(), "steps_per_epoch": 7, "validation_data": _validation()}

    return make


SOURCES = {
    "arrays": Source(_with()),
    "arrays, no seed": Source(_with(), seeded=False),
    "arrays, unbuilt model": Source(_with(), unbuilt=True),
    "arrays, shuffle=False": Source(_with(shuffle=False)),
    'arrays, shuffle="batch"': Source(_with(shuffle="batch")),
    "arrays, 4 steps of 11": Source(_with(steps_per_epoch=4)),
    "arrays, 3 steps per execution": Source(_with(), steps_per_execution=3),
    "arrays, validation_split": Source(_split),
    "arrays, class_weight": Source(_class_weight),
    "sparse tensors": Source(_ragged),
    "Sequence": Source(_sequence()),
    "Sequence on global NumPy": Source(_sequence(_Drawing), draws=True),
    "Sequence, 3 workers": Source(_sequence(_Still, workers=3, shuffle=False)),
    "Sequence, 3 workers, shuffled": Source(_sequence(noisy=False, workers=3)),
    "tf.data": Source(_tf_data()),
    "tf.data, unknown length": Source(_tf_data(_unknown_length)),
    "tf.data, repeated": Source(_tf_data(lambda d: d.repeat(), steps_per_epoch=7)),
    "tf.data, cached": Source(_tf_data(lambda d: d.cache())),
    "tf.data, augmented": Source(_tf_data(_augmented)),
    "tf.data, shuffled validation": Source(_tf_data(validation=_shuffled_validation)),
    "generator": Source(_generator("own")),
    "generator on global NumPy": Source(_generator("numpy"), draws=True),
}
