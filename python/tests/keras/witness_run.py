"""A training with state of every kind that a witness should see: run as a script, it is killed."""

from __future__ import annotations

import os
import signal
import sys

import keras
import numpy as np

from rekindle.keras import BackupAndRestore

EPOCHS, BATCHES = 4, 6


class Noisy(keras.utils.PyDataset):
    """Validation data with a state of its own: it draws other noise each time it is read."""

    def __init__(self):
        super().__init__()
        self.reads = 0

    def __len__(self):
        return 2

    def __getitem__(self, index):
        self.reads += 1
        rng = np.random.RandomState(self.reads)
        return rng.normal(size=(4, 3)).astype("float32"), rng.normal(size=(4, 1)).astype("float32")


class Kill(keras.callbacks.Callback):
    """Kills this process after so many batches of an epoch."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.place, self.epoch = (epoch, batch), 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.place:
            os.kill(os.getpid(), signal.SIGKILL)


def run(folder, *callbacks, loss="mse", **more):
    """Trains. Returns the backup callback and the history."""
    keras.utils.set_random_seed(3)
    rng = np.random.RandomState(0)
    x = rng.normal(size=(8 * BATCHES, 3)).astype("float32")
    y = rng.normal(size=(8 * BATCHES, 1)).astype("float32")
    model = keras.Sequential(
        [
            keras.layers.Input((3,)),
            keras.layers.Dense(16, "relu", name="first"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1, name="last"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.05), loss, metrics=["mae"])
    slower = keras.callbacks.ReduceLROnPlateau("val_loss", 0.5, patience=1, min_delta=9)
    backup = BackupAndRestore(folder, save_freq=9, delete_checkpoint=False, **more)
    history = model.fit(
        x,
        y,
        epochs=EPOCHS,
        batch_size=8,
        verbose=0,
        validation_data=Noisy(),
        callbacks=[slower, *callbacks, backup],
    )
    return backup, history


if __name__ == "__main__":
    # Saved after 9 batches, in the second epoch; killed after 17.
    run(sys.argv[1], Kill(2, 4))
