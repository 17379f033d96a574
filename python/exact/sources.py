"""The kinds of data that fit() accepts. Each has 83 samples in 11 batches; the last is partial."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

FEATURES = 6
SAMPLES = 83
BATCH = 8

ALL = ("jax", "torch", "tensorflow")


@dataclasses.dataclass(frozen=True)
class Source:
    """A way to give data to fit().

    Attributes:
        make: Makes new arguments for fit().
        backends: The backends on which Keras can train on it.
        steps_per_execution: The argument for compile().
        unbuilt: Whether the model makes its variables only when it sees the data.
        seeded: Whether the script seeds all random generators at its beginning.
    """

    make: Callable[[], dict]
    backends: tuple[str, ...] = ALL
    steps_per_execution: int = 1
    unbuilt: bool = False
    seeded: bool = True


def _xy():
    rng = np.random.RandomState(0)
    x = rng.normal(size=(SAMPLES, FEATURES)).astype("float32")
    y = (x[:, :1] * 2 - x[:, 1:2] + rng.normal(size=(SAMPLES, 1)) * 0.3).astype("float32")
    return x, y


def _validation():
    x, y = _xy()
    return x[:20] + 0.5, y[:20]


def _arrays(**more):
    x, y = _xy()
    return {"x": x, "y": y, "batch_size": BATCH, "validation_data": _validation()} | more


def _with(**more):
    return lambda: _arrays(**more)


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


class _NumPyBatches(keras.utils.PyDataset):
    """A data set that draws noise from NumPy's global state."""

    def __len__(self):
        return -(-SAMPLES // BATCH)

    def __getitem__(self, index):
        x, y = (one[index * BATCH : (index + 1) * BATCH] for one in _xy())
        return x, (y + np.random.normal(size=y.shape) * 0.1).astype("float32")


class _Batches(keras.utils.PyDataset):
    """A data set that shuffles itself after each epoch, and draws noise from its own generator."""

    def __init__(self, noisy=True, **kwargs):
        super().__init__(**kwargs)
        self.x, self.y = _xy()
        self.order = np.arange(SAMPLES)
        self.rng = np.random.default_rng(3)
        self.noisy = noisy

    def __len__(self):
        return -(-SAMPLES // BATCH)

    def __getitem__(self, index):
        rows = self.order[index * BATCH : (index + 1) * BATCH]
        noise = self.rng.normal(size=(len(rows), 1)) * 0.1 if self.noisy else 0.0
        return self.x[rows], (self.y[rows] + noise).astype("float32")

    def on_epoch_end(self):
        self.order = self.rng.permutation(SAMPLES) if self.noisy else np.roll(self.order, 5)


def _py_dataset(**kwargs):
    return lambda: {"x": _Batches(**kwargs), "validation_data": _validation()}


def _tf_data(change=lambda dataset: dataset, **more):
    def make():
        import tensorflow as tf

        dataset = tf.data.Dataset.from_tensor_slices(_xy()).shuffle(SAMPLES)
        dataset = change(dataset.batch(BATCH)).prefetch(2)
        return {"x": dataset, "validation_data": _validation()} | more

    return make


def _augmented(dataset):
    import tensorflow as tf

    layer = keras.layers.RandomBrightness(0.5, value_range=(-9.0, 9.0), seed=3)
    generator = tf.random.Generator.from_seed(4)

    def change(x, y):
        pixels = layer(tf.reshape(x, (-1, 1, FEATURES // 3, 3)))
        noise = generator.normal(tf.shape(y)) * 0.1
        return tf.reshape(pixels, (-1, FEATURES)), y + noise

    return dataset.map(change)


def _unknown_length(dataset):
    return dataset.filter(lambda x, y: True)


def _loader(own_generator=False, workers=0):
    def make():
        import torch

        torch.manual_seed(13)  # Keras seeds PyTorch only if PyTorch is the backend.
        generator = torch.Generator().manual_seed(5) if own_generator else None
        data = torch.utils.data.TensorDataset(*map(torch.from_numpy, _xy()))
        loader = torch.utils.data.DataLoader(
            data, batch_size=BATCH, shuffle=True, generator=generator, num_workers=workers
        )
        return {"x": loader, "validation_data": _validation()}

    return make


def _passes():
    x, y = _xy()

    def batches():
        while True:
            order = np.random.permutation(SAMPLES)
            for first in range(0, SAMPLES, BATCH):
                rows = order[first : first + BATCH]
                yield x[rows], y[rows]

    return {"x": batches(), "steps_per_epoch": 7, "validation_data": _validation()}


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


def _grain():
    import grain

    x, y = _xy()
    data = grain.MapDataset.source(list(zip(x, y, strict=True))).seed(4).shuffle()
    dataset = data.to_iter_dataset().batch(BATCH)
    return {"x": dataset, "validation_data": _validation()}


SOURCES = {
    "arrays": Source(_with()),
    "arrays, unbuilt model": Source(_with(), unbuilt=True),
    "arrays, shuffle=False": Source(_with(shuffle=False)),
    'arrays, shuffle="batch"': Source(_with(shuffle="batch")),
    "arrays, 4 steps of 11": Source(_with(steps_per_epoch=4)),
    "arrays, 3 steps per execution": Source(
        _with(), backends=("jax", "tensorflow"), steps_per_execution=3
    ),
    "arrays, validation_split": Source(_split),
    "arrays, class_weight": Source(_class_weight),
    "PyDataset": Source(_py_dataset(), backends=("jax", "torch", "tensorflow")),
    "PyDataset, 4 steps of 11": Source(lambda: _py_dataset()() | {"steps_per_epoch": 4}),
    "PyDataset on global NumPy": Source(
        lambda: {"x": _NumPyBatches(), "validation_data": _validation()}
    ),
    "PyDataset, 3 workers": Source(_py_dataset(noisy=False, workers=3)),
    "tf.data": Source(_tf_data()),
    "tf.data, unknown length": Source(_tf_data(_unknown_length)),
    "tf.data, repeated": Source(_tf_data(lambda d: d.repeat(), steps_per_epoch=7)),
    "tf.data, augmented": Source(_tf_data(_augmented)),
    "DataLoader": Source(_loader()),
    "DataLoader, own generator": Source(_loader(own_generator=True)),
    "DataLoader, 2 workers": Source(_loader(workers=2)),
    "generator": Source(_generator("own")),
    "generator on global NumPy": Source(_generator("numpy")),
    "generator on global NumPy, by passes": Source(_passes),
    "Grain": Source(_grain),
}
