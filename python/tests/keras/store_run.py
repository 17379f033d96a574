"""A fit() whose backup is in an object store: python store_run.py URL OUT.npz OPTIONS [BATCHES].

It kills itself after so many batches of the second epoch, once the store has a checkpoint and what
the run saw after it. OUT.npz gets the weights of a run that ends. OPTIONS is JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import keras
import numpy as np

from rekindle import inspection
from rekindle._format import layout, witness
from rekindle._storage.resolve import resolve
from rekindle.keras import BackupAndRestore


def saw_after_checkpoint(url, options):
    """Whether the store has a checkpoint, and losses of batches that were trained after it."""
    saves = inspection.info(url, storage_options=options).saves
    if not saves:
        return False
    at = (saves[-1].epoch, saves[-1].batch)
    try:
        records = witness.records(resolve(url, options=options).read(layout.WITNESS, witness.FILE))
        return any((one.epoch, one.batch) >= at and one.kind & witness.STEP for one in records)
    except FileNotFoundError:
        return False


class Kill(keras.callbacks.Callback):
    def __init__(self, place, batch):
        super().__init__()
        self._place, self._at, self._epoch = place, batch, 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self._epoch >= 1 and batch >= self._at and saw_after_checkpoint(*self._place):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._epoch >= 1:
            # A run of milliseconds would end before anything was sent.
            time.sleep(0.05)


def main(url, out, options, kill=None):
    options = json.loads(options)
    keras.utils.set_random_seed(7)
    model = keras.Sequential(
        [
            keras.layers.Input((8,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(320, 8)).astype("float32")
    backup = BackupAndRestore(url, save_freq=4, delete_checkpoint=False, storage_options=options)
    callbacks = [backup, *([Kill((url, options), int(kill))] if kill else [])]
    y = x.sum(1, keepdims=True)
    model.fit(x, y, epochs=4, batch_size=16, verbose=0, callbacks=callbacks)
    np.savez(out, *model.get_weights())
    print(json.dumps(backup.resume_report))


if __name__ == "__main__":
    main(*sys.argv[1:])
