"""One worker of a run of tf_keras under MultiWorkerMirroredStrategy: may kill itself, resumes.

    TF_CONFIG='{...}' worker.py '{"folder": "a", "at": [1, "begin", 1, 3]}'

`at` names a worker, and a point as in `scenario.py`; `what` is what happens there: a signal,
"raise", or "sleep". With `once`, it happens in the first start only. Each worker writes a report of
its own, with what only this worker has.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import warnings

import numpy as np
import tensorflow as tf
import tf_keras
from scenario import Killer, digest

from rekindle._repository.repository import Repository
from rekindle._tf_keras import variables
from rekindle.tf_keras import BackupAndRestore

EPOCHS, SAMPLES, BATCH = 3, 48, 8


class Does(Killer):
    """Does something at a point of the run: kills this process, stops it, raises, or terminates."""

    def __init__(self, at, what):
        super().__init__(at)
        self.what = what

    def _die_at(self, *place):
        if place != self.kill_at:
            return
        if self.what == "raise":
            raise RuntimeError("this worker fails on purpose")
        if self.what == "sleep":
            time.sleep(600)
        os.kill(os.getpid(), getattr(signal, self.what))


class Draws(tf_keras.callbacks.Callback):
    """State that each worker has of its own: draws from its generators."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.total = np.zeros(3)

    def on_epoch_begin(self, epoch, logs=None):
        self.total += np.random.rand(3)
        self.seen.append(float(np.random.rand() + random.random()))

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(np.random.rand()))


def write_late(seconds):
    """Makes this process write each checkpoint so many seconds late, beside the training."""
    commit = Repository.commit

    def later(self, *args):
        time.sleep(seconds)
        return commit(self, *args)

    Repository.commit = later


def data(config):
    rng = np.random.RandomState(0)
    x = rng.normal(size=(SAMPLES, 4)).astype("float32")
    y = (x[:, :1] - x[:, 1:2]).astype("float32")
    if config.get("source") != "tf.data":
        return {"x": x, "y": y, "batch_size": config.get("batch", BATCH)}
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(SAMPLES, seed=5).batch(BATCH)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return {"x": dataset.with_options(options)}


def make_model():
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.Dense(8, activation="relu", input_shape=(4,)),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(1),
        ]
    )
    model.compile(tf_keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


def main(config):
    warnings.simplefilter("default")
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    # The weights, and the seeds of `Dropout`, are the same on all workers; other draws are not.
    tf_keras.utils.set_random_seed(7)
    with strategy.scope():
        model = make_model()
    np.random.seed(70 + index)
    random.seed(70 + index)
    write_late(config.get("late", 0))
    folder = config["folder"]
    backup = BackupAndRestore(
        config.get("backups", {}).get(str(index), os.path.join(folder, "backup")),
        **{"save_freq": 2, "restore_history": True} | config.get("options", {}),
    )
    early = tf_keras.callbacks.EarlyStopping("loss", patience=5)
    draws, used = Draws(), []
    who, *at = config.get("at") or [None]
    if who != index or (config.get("once") and os.path.isdir(backup.backup_dir)):
        at = ()
    does = Does(at, config.get("what", "SIGKILL"))
    used = [early, backup, draws, does]
    x, y = data({})["x"][:16], data({})["y"][:16]
    began = time.perf_counter()
    history = model.fit(
        epochs=EPOCHS, callbacks=used, verbose=0, validation_data=(x, y), **data(config)
    )
    took = time.perf_counter() - began
    everything = variables.values(variables.named(model) | variables.metrics(model))
    report = {
        "variables": {name: digest(value) for name, value in everything.items()},
        "history": {k: [float(v) for v in values] for k, values in history.history.items()},
        "draws": [draws.seen, draws.total.tolist()],
        "next": [random.random(), float(np.random.rand())],
        "early": repr((early.wait, early.best, early.best_epoch)),
    }
    beside = {"resumed": backup.resume_report, "saves": backup.save_report, "seconds": took}
    for name, value in (("report", report), ("beside", beside)):
        with open(os.path.join(folder, f"{name}-{index}.json"), "w") as file:
            json.dump(value, file)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
