"""A training in a process of its own, which is watched: it ends as its arguments say.

Arguments: the folder; ``finish``, ``keep``, ``raise``, or a signal; and a file that is written once
so many batches are trained. The training then waits, so that a test can look.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import time

import keras
import numpy as np

from rekindle.keras import BackupAndRestore

EPOCHS, BATCHES = 5, 8
trained = []


class End(keras.callbacks.Callback):
    """Waits after some batches until the file of that name is gone. Then it ends the training."""

    # The batches of this process count. Without these methods, a resume would restore the list.
    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        """Nothing."""

    def on_train_batch_end(self, batch, logs=None):
        trained.append(batch)
        if len(trained) != (30 if sys.argv[2] != "keep" else 4):
            return
        with open(sys.argv[3], "w", encoding="utf-8"):
            pass
        while os.path.exists(sys.argv[3]):
            time.sleep(0.01)
        if sys.argv[2] == "raise":
            raise RuntimeError("stopped")
        if sys.argv[2].startswith("SIG"):
            os.kill(os.getpid(), signal.Signals[sys.argv[2]])


if __name__ == "__main__":
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.arange(4 * BATCHES * 3, dtype="float32").reshape(-1, 3) / 100
    backup = BackupAndRestore(sys.argv[1], save_freq=12, delete_checkpoint=sys.argv[2] != "keep")
    # As in a session that goes on after an error: nothing keeps the fit() any more.
    with contextlib.suppress(RuntimeError):
        model.fit(x, x.sum(1), 4, EPOCHS, verbose=0, callbacks=[End(), backup])
    gc.collect()
