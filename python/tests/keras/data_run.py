"""One training on data with random state of its own: may kill itself, and prints what it ends with.

data_run.py KIND FOLDER SAVE_FREQ [EPOCH BATCH]
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import warnings

import keras
import numpy as np

from rekindle.keras import BackupAndRestore

BATCHES, SIZE = 6, 4
ON = keras.backend.backend()
X = np.random.RandomState(0).uniform(size=(BATCHES * SIZE, 2, 2, 3)).astype("float32")
Y = X[:, 0, 0, :1] * 2


def dataset():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, Y))


def layer_in_a_pipeline():
    """The layer counts its draws in a variable of TensorFlow, and the pipeline reads ahead."""
    augment = keras.layers.RandomBrightness(0.5, value_range=(0, 1), seed=3)
    data = dataset().shuffle(24).batch(SIZE).map(lambda x, y: (augment(x), y)).prefetch(2)
    return {"x": data}


def layer_in_a_repeated_pipeline():
    augment = keras.layers.RandomBrightness(0.5, value_range=(0, 1), seed=3)
    data = dataset().repeat().batch(SIZE).map(lambda x, y: (augment(x), y)).prefetch(2)
    return {"x": data, "steps_per_epoch": 4}


def layer_in_a_pipeline_of_validation():
    return {"x": X, "y": Y, "batch_size": SIZE, "validation_data": layer_in_a_pipeline()["x"]}


def python_in_a_pipeline():
    import tensorflow as tf

    own = np.random.default_rng(3)

    def batches():
        for first in range(0, len(X), SIZE):
            noise = own.normal(size=(SIZE, 1, 1, 1)).astype("float32")
            yield X[first : first + SIZE] + noise, Y[first : first + SIZE]

    kinds = (tf.TensorSpec((None, 2, 2, 3)), tf.TensorSpec((None, 1)))
    return {"x": tf.data.Dataset.from_generator(batches, output_signature=kinds).prefetch(2)}


def pipeline_on_global_numpy():
    import tensorflow as tf

    def noisy(x):
        return (x + np.random.normal()).astype("float32")

    def change(x, y):
        return tf.ensure_shape(tf.numpy_function(noisy, [x], tf.float32), (None, 2, 2, 3)), y

    return {"x": dataset().batch(SIZE).map(change).prefetch(2)}


def parallel_draws():
    augment = keras.layers.RandomBrightness(0.5, value_range=(0, 1), seed=3)
    return {"x": dataset().batch(SIZE).map(lambda x, y: (augment(x), y), num_parallel_calls=4)}


class Batches(keras.utils.PyDataset):
    """Adds the noise of a function to each batch."""

    def __init__(self, noise):
        super().__init__()
        self.noise = noise

    def __len__(self):
        return BATCHES

    def __getitem__(self, index):
        rows = slice(index * SIZE, index * SIZE + SIZE)
        return (X[rows] + self.noise()).astype("float32"), Y[rows]


def on_global_numpy():
    return {"x": Batches(lambda: np.random.normal(size=(SIZE, 1, 1, 1)))}


def on_global_python():
    return {"x": Batches(lambda: random.gauss(0, 1)), "steps_per_epoch": 4}


def own_numpy():
    own = np.random.default_rng(4)
    return {"x": Batches(lambda: own.normal(size=(SIZE, 1, 1, 1))), "steps_per_epoch": 4}


def own_python():
    own = random.Random(4)
    return {"x": Batches(lambda: own.gauss(0, 1)), "steps_per_epoch": 4}


def layer_of_a_data_set():
    augment = keras.layers.GaussianNoise(0.3, seed=2)

    class Noisy(Batches):
        def __getitem__(self, index):
            rows = slice(index * SIZE, index * SIZE + SIZE)
            return keras.ops.convert_to_numpy(augment(X[rows], training=True)), Y[rows]

    return {"x": Noisy(None), "steps_per_epoch": 4}


def own_generator():
    def batches():
        own = np.random.default_rng(9)
        while True:
            rows = own.integers(len(X), size=SIZE)
            yield X[rows], Y[rows]

    return {"x": batches(), "steps_per_epoch": 4}


def shuffled():
    return {"x": dataset().shuffle(24).repeat().batch(SIZE), "steps_per_epoch": 4}


def repeated_shuffles():
    return {"x": dataset().shuffle(24).repeat(2).batch(SIZE)}


def order_of_each_pass():
    def batches():
        while True:
            order = np.random.permutation(len(X))
            for first in range(0, len(X), SIZE):
                rows = order[first : first + SIZE]
                yield X[rows], Y[rows]

    return {"x": batches(), "steps_per_epoch": 4}


def loader_with_generators():
    import torch

    class Noise(torch.utils.data.Dataset):
        def __init__(self):
            self.own = torch.Generator().manual_seed(4)

        def __len__(self):
            return len(X)

        def __getitem__(self, index):
            return X[index] + float(torch.randn((), generator=self.own)), Y[index]

    class Order(torch.utils.data.Sampler):
        def __init__(self):
            self.own = np.random.default_rng(5)

        def __len__(self):
            return len(X)

        def __iter__(self):
            return iter(self.own.permutation(len(X)).tolist())

    loader = torch.utils.data.DataLoader(Noise(), batch_size=SIZE, sampler=Order())
    return {"x": loader, "steps_per_epoch": 4}


def generator_of_validation():
    return {
        "x": X,
        "y": Y,
        "batch_size": SIZE,
        "validation_data": order_of_each_pass()["x"],
        "validation_steps": 2,
    }


class Follow(keras.callbacks.Callback):
    """Lets validation change what is trained, and dies."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if [self.epoch, batch] == DIES:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_epoch_end(self, epoch, logs=None):
        if "val_loss" in logs:
            self.model.optimizer.learning_rate = 0.05 + 0.1 * (logs["val_loss"] % 1)


KIND, FOLDER = sys.argv[1], sys.argv[2]
SAVE_FREQ = sys.argv[3] if sys.argv[3] == "epoch" else int(sys.argv[3])
STAGES = ((0, 2), (2, 4)) if KIND.startswith("stages:") else ((0, 4),)
DIES = [int(one) for one in sys.argv[4:]]

warnings.simplefilter("ignore")
keras.utils.set_random_seed(1)
data = globals()[KIND.removeprefix("stages:")]()
layers = [keras.layers.Input((2, 2, 3)), keras.layers.Flatten(), keras.layers.Dropout(0.2)]
model = keras.Sequential([*layers, keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.05), "mse", jit_compile=False)
for first, last in STAGES:
    backup = BackupAndRestore(
        f"{FOLDER}/backup", save_freq=SAVE_FREQ, background=False, delete_checkpoint=True
    )
    follow = Follow()
    model.fit(initial_epoch=first, epochs=last, verbose=0, callbacks=[follow, backup], **data)
values = [keras.ops.convert_to_numpy(v) for v in model.variables + model.optimizer.variables]
report = backup.resume_report
found = {
    "values": hashlib.sha256(b"".join(value.tobytes() for value in values)).hexdigest(),
    "draws": [random.random(), np.random.rand()],
    "exact": report and report["exact"],
    "notes": report and report["notes"],
}
print(json.dumps(found))
