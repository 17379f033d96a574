"""One run of tf_keras with state in many places: may kill itself, and prints what it has.

golden_run.py FOLDER [die]
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import tf_keras

sys.path.insert(0, str(Path(__file__).parents[1] / "shared"))

import every_kind

import rekindle
from rekindle.tf_keras import BackupAndRestore

FOLDER, DIES = sys.argv[1], sys.argv[2:] == ["die"]
X = np.random.RandomState(0).normal(size=(40, 6)).astype("float32")


class Rows(tf_keras.utils.Sequence):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        x = X[8 * index : 8 * index + 8]
        return x, x[:, :1]


class Changes(tf_keras.callbacks.Callback):
    """Has a value of each kind, changes them, and dies."""

    def __init__(self):
        super().__init__()
        vars(self).update(every_kind.made())

    def on_epoch_end(self, epoch, logs=None):
        if DIES and epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        every_kind.change(vars(self), epoch)


warnings.simplefilter("error", rekindle.InexactWarning)
tf_keras.utils.set_random_seed(1)
model = tf_keras.Sequential(
    [tf_keras.layers.Dense(3), tf_keras.layers.Dropout(0.4), tf_keras.layers.Dense(1)]
)
model.build((None, 6))
model.compile("adam", "mse", metrics=["mae"])
changes = Changes()
stopping = tf_keras.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
backup = BackupAndRestore(f"{FOLDER}/backup", save_freq=2, restore_history=True)
history = model.fit(
    Rows(), epochs=4, shuffle=False, verbose=0, callbacks=[changes, stopping, backup]
)
found = {
    "values": every_kind.told({name: vars(changes)[name] for name in every_kind.made()}),
    "iterations": int(model.optimizer.iterations.numpy()),
    "history": {name: len(row) for name, row in history.history.items()},
    "report": backup.resume_report
    and {name: backup.resume_report[name] for name in ("exact", "epoch", "batch")},
}
print(json.dumps(found))
