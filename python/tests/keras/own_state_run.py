"""One run with state in many places: trains, may kill itself, and prints what it has in the end.

own_state_run.py FOLDER [die]
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import warnings

import keras
import numpy as np

import rekindle
from rekindle.keras import BackupAndRestore

FOLDER, DIES = sys.argv[1], sys.argv[2:] == ["die"]
ON = keras.backend.backend()
X = np.random.RandomState(0).normal(size=(40, 6)).astype("float32") + 3


class Memory(keras.layers.Layer):
    """Keeps state in an attribute, and other state that only Keras' hooks save."""

    def __init__(self):
        super().__init__()
        self.level = 0.0
        self.hidden = {"count": Hidden()}

    def call(self, x):
        return x

    def save_own_variables(self, store):
        store["hidden"] = self.hidden["count"].value

    def load_own_variables(self, store):
        self.hidden["count"].value = np.array(store["hidden"])


class Hidden:
    __slots__ = ("value",)

    def __init__(self):
        self.value = np.zeros(2)


class Augment:
    def __init__(self):
        self.rng = np.random.default_rng(4)

    def __call__(self, x):
        return (x + 0.1 * self.rng.normal(size=x.shape)).astype("float32")


class Rows(keras.utils.PyDataset):
    """Begins at another row in each epoch. A helper object adds noise."""

    def __init__(self, steps):
        super().__init__()
        self.steps, self.begin, self.augment = steps, 0, Augment()

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        x = X[(self.begin + np.arange(8) + 8 * index) % 40]
        return self.augment(x), x[:, :1]

    def on_epoch_end(self):
        self.begin += 3


class Moves(keras.callbacks.Callback):
    """Changes state of the layer, and dies."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        memory.level += 0.5
        memory.hidden["count"].value += logs["loss"]

    def on_train_batch_begin(self, batch, logs=None):
        if DIES and (self.epoch, batch) == (2, 3):
            os.kill(os.getpid(), signal.SIGKILL)


def best(name, monitor):
    path = f"{FOLDER}/{name}.weights.h5"
    return keras.callbacks.ModelCheckpoint(
        path, monitor, save_best_only=True, save_weights_only=True
    )


def layers():
    yield keras.layers.Input((6,))
    yield memory
    yield keras.layers.Dropout(0.1)
    if ON == "torch":
        import torch

        yield keras.layers.TorchModuleWrapper(torch.nn.BatchNorm1d(6))
    yield keras.layers.Dense(1)


warnings.simplefilter("error", rekindle.InexactWarning)
keras.utils.set_random_seed(1)
memory = Memory()
model = keras.Sequential(list(layers()))
model.compile("adam", "mse", metrics=["mae"])
one, other = best("loss", "val_loss"), best("mae", "val_mae")
# A script that was changed before it ran again has them in another order.
order = [other, one] if os.path.exists(f"{FOLDER}/backup") else [one, other]
backup = BackupAndRestore(f"{FOLDER}/backup", save_freq=1, restore_history=True)
data, held_out = Rows(5), Rows(2)
history = model.fit(
    data,
    epochs=5,
    # On TensorFlow, rekindle warns of data that Keras shuffles by Python's own generator.
    shuffle=False,
    verbose=0,
    validation_data=held_out,
    callbacks=[*order, Moves(), backup],
)
values = [keras.ops.convert_to_numpy(v) for v in model.variables + model.optimizer.variables]
state = dict(model.layers[-2].module.named_buffers()) if ON == "torch" else {}
values += [tensor.numpy() for tensor in state.values()]
found = {
    "values": hashlib.sha256(b"".join(value.tobytes() for value in values)).hexdigest(),
    "history": {name: list(map(float, row)) for name, row in history.history.items()},
    "level": memory.level,
    "hidden": memory.hidden["count"].value.tolist(),
    "best": [one.best, other.best],
    "next": [rows.augment.rng.normal() for rows in (data, held_out)],
    "exact": backup.resume_report and backup.resume_report["exact"],
}
print(json.dumps(found))
