"""Makes the golden folders: backups from this version, which every later version must read.

    KERAS_BACKEND=jax python make.py OUT        a fit(), interrupted in its third epoch
    python make.py --manager OUT                a manager's checkpoints

The folders are in `format-N/` for each version N of the format, and in `state-N/` for each one
of the state after the first. Those of the state are what these left when they killed themselves:

    KERAS_BACKEND=jax python ../keras/own_state_run.py OUT die    state-2, by an older version
    KERAS_BACKEND=jax python ../keras/every_kind_run.py OUT die   state-3
    python ../tf_keras/golden_run.py OUT die                      state-3/tf_keras
    python ../../exact/programs/scenario.py CONFIG                state-3/synalinks
    (CONFIG: '{"source": "OMEGA", "save_freq": 3, "folder": "OUT", "kill": ["end", 1, 3]}')

Never make a folder again: later versions must read the original bytes. The tests read this file to
know how the folders were made.
"""

from __future__ import annotations

import contextlib
import os
import sys

import numpy as np

EPOCHS, BATCHES, SAVE_FREQ = 5, 6, 4
# The last save before the interruption: epoch 2, counted from 0, after 4 batches.
POSITION = (2, 4)


class Stop(BaseException):
    """The exception that interrupts the fit()."""


class Notes:
    """An object of `extra_state`."""

    def __init__(self):
        self.seen = []

    def state_dict(self):
        return {"seen": list(self.seen)}

    def load_state_dict(self, state):
        self.seen = list(state["seen"])


def fit(directory, *, until=None, each=lambda batch: None, **more):
    """Trains until an interruption. Returns model, callback, others and extra state."""
    import keras

    from rekindle.keras import BackupAndRestore

    class Batches(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.count = 0

        def on_train_batch_begin(self, batch, logs=None):
            each(self)

        def on_train_batch_end(self, batch, logs=None):
            self.count += 1
            notes.seen.append(batch)
            if self.count == until:
                raise Stop

    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, activation="relu", name="inner"),
            keras.layers.Dropout(0.25, seed=5),
            keras.layers.Dense(1, name="outer"),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    x = np.arange(6 * 4 * 3, dtype="float32").reshape(-1, 3) / 72
    y = x.sum(axis=1, keepdims=True)
    notes, batches = Notes(), Batches()
    stopping = keras.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
    backup = BackupAndRestore(
        str(directory), save_freq=SAVE_FREQ, extra_state={"notes": notes}, background=False, **more
    )
    with contextlib.suppress(Stop):
        model.fit(x, y, 4, EPOCHS, shuffle=True, verbose=0, callbacks=[backup, batches, stopping])
    return model, backup, batches, stopping, notes


def objects(value=0):
    """The objects that the manager saves. Each part depends on `value`."""
    from rekindle import Checkpoint

    rng = np.random.default_rng(value)
    return Checkpoint(
        step=value,
        weights=np.full((2, 3), value, np.float32),
        rng=rng,
        tree={"list": [value, 2.5, "text", None, True], "empty": {}, "bytes": b"\0\xff"},
        sets={1, 2, value},
        big=2**70 + value,
        nan=float("nan"),
        scalar=np.float64(value),
    )


def manager(directory):
    """Keeps three checkpoints of five. One of them is the checkpoint with the best loss."""
    from rekindle import CheckpointManager

    live = objects()
    with CheckpointManager(live, str(directory), 2, keep_best=("loss", "min", 1)) as one:
        for step, loss in enumerate([3.0, 1.0, 2.0, 4.0, 5.0], start=1):
            live.step = step
            live.weights[:] = step
            live.rng.random()
            one.save(with_metadata={"loss": loss})


if __name__ == "__main__":
    os.environ.setdefault("KERAS_BACKEND", "jax")
    if sys.argv[1] == "--manager":
        manager(sys.argv[2])
    else:
        fit(sys.argv[1], until=POSITION[0] * BATCHES + 5)
