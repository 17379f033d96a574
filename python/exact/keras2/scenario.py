"""One training run of tf_keras: kills itself at a given point, resumes, writes a report.

    scenario.py '{"source": "arrays", "save_freq": 1, "folder": "a", "kill": ["begin", 2, 5]}'

The same as `../scenario.py`, for Keras 2.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import random
import secrets
import shutil
import signal
import sys
import warnings

import h5py
import numpy as np
import sources
import tensorflow as tf
import tf_keras
from tf_keras.src import backend

from rekindle._tf_keras import variables
from rekindle.tf_keras import BackupAndRestore

EPOCHS = 4
layers, optimizers = tf_keras.layers, tf_keras.optimizers


class Killer(tf_keras.callbacks.Callback):
    """Kills the process at a point such as ["begin", epoch, batch] or ["validation", epoch]."""

    def __init__(self, kill):
        super().__init__()
        self.kill_at = tuple(kill or ())
        self.current = 0

    def _die_at(self, *place):
        if place == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_epoch_begin(self, epoch, logs=None):
        self.current = epoch

    def on_train_batch_begin(self, batch, logs=None):
        self._die_at("begin", self.current, batch)

    def on_train_batch_end(self, batch, logs=None):
        self._die_at("end", self.current, batch)

    def on_test_begin(self, logs=None):
        self._die_at("validation", self.current)

    def on_epoch_end(self, epoch, logs=None):
        self._die_at("epoch_end", epoch)


class Recorder(tf_keras.callbacks.Callback):
    """A user's own callback, with state in lists, arrays, counters and a random generator."""

    def __init__(self, draws):
        super().__init__()
        self.seen = []
        self.draws = []
        self.total = np.zeros(3)
        self.noise = np.random.default_rng(11)
        self.draw = (lambda: 0.0) if draws else (lambda: float(np.random.rand() + random.random()))

    def on_epoch_begin(self, epoch, logs=None):
        self.draws.append(self.draw())

    def on_epoch_end(self, epoch, logs=None):
        self.draws.append(float(self.noise.normal()))
        self.total += [1.0, epoch, logs["loss"]]


class BatchRecorder(Recorder):
    """The same callback with hooks for every batch, for runs that save by batches."""

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(batch)

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(logs["loss"]))
        self.draws.append(self.draw())


def schedule():
    return optimizers.schedules.CosineDecay(0.02, 44, warmup_target=0.03, warmup_steps=7)


# Kinds of training. Each makes a new optimizer.
TRAININGS = {
    "plain": lambda: optimizers.Adam(0.01),
    "schedule, clipping": lambda: optimizers.AdamW(schedule(), global_clipnorm=0.5),
    "momentum, averaged weights": lambda: optimizers.SGD(
        0.01, momentum=0.9, nesterov=True, use_ema=True, ema_overwrite_frequency=5
    ),
    "scaled loss": lambda: tf_keras.mixed_precision.LossScaleOptimizer(
        optimizers.RMSprop(0.01), dynamic_growth_steps=6
    ),
    "legacy optimizer": lambda: optimizers.legacy.Adam(0.01, decay=0.01),
    "legacy optimizer, scaled loss": lambda: tf_keras.mixed_precision.LossScaleOptimizer(
        optimizers.legacy.SGD(0.01, momentum=0.9)
    ),
    "run eagerly": lambda: optimizers.Adam(0.01),
    "random generators": lambda: optimizers.Adam(0.01),
    "noise layers": lambda: optimizers.Adam(0.01),
    "seeded layers": lambda: optimizers.Adam(0.01),
    "stateful LSTM": lambda: optimizers.Adam(0.01),
    "float16": lambda: optimizers.Adam(0.01),
    "compiled by XLA": lambda: optimizers.Adam(0.01),
    "MirroredStrategy": lambda: optimizers.Adam(0.01),
    "MirroredStrategy, legacy optimizer": lambda: optimizers.legacy.Adam(0.01),
}


def middle(training):
    if training == "noise layers":
        return [
            layers.GaussianNoise(0.1),
            layers.GaussianDropout(0.2),
            layers.AlphaDropout(0.2),
            layers.Dropout(0.3),
        ]
    if training == "seeded layers":
        return [layers.Dropout(0.3, seed=5), layers.Dropout(0.3)]
    if training == "stateful LSTM":
        return [
            layers.Reshape((2, 4)),
            layers.LSTM(5, stateful=True, dropout=0.2, recurrent_dropout=0.2),
        ]
    return [layers.BatchNormalization(), layers.Dropout(0.3)]


def make_model(source, training):
    model = tf_keras.Sequential(
        [layers.Dense(8, activation="relu"), *middle(training), layers.Dense(1, dtype="float32")]
    )
    if not source.unbuilt:
        batch = 1 if training == "stateful LSTM" else None
        model.build((batch, sources.FEATURES))
    model.compile(
        TRAININGS[training](),
        loss="mse",
        metrics=["mae"],
        steps_per_execution=source.steps_per_execution,
        run_eagerly=training == "run eagerly",
        jit_compile=training == "compiled by XLA",
    )
    return model


def strategy_of(training):
    if not training.startswith("MirroredStrategy"):
        return tf.distribute.get_strategy()
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def backup_of(config, folder):
    backup_dir = os.path.join(folder, "backup")
    if config.get("theirs"):
        return tf_keras.callbacks.BackupAndRestore(backup_dir, config["save_freq"])
    return BackupAndRestore(
        backup_dir,
        save_freq=config["save_freq"],
        restore_history=True,
        background=config.get("background", True),
        on_save_error="raise",
        verbose=config.get("verbose", 0),
    )


def callbacks_of(config, folder, recorder):
    backup = backup_of(config, folder)
    early = tf_keras.callbacks.EarlyStopping(
        "loss", min_delta=0.01, patience=3, restore_best_weights=True
    )
    scheduled = config.get("training") == "schedule, clipping"
    plateau = (
        tf_keras.callbacks.TerminateOnNaN()  # only the schedule may change the rate
        if scheduled
        else tf_keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=0.05)
    )
    best = os.path.join(folder, "best.weights.h5")
    check = tf_keras.callbacks.ModelCheckpoint(
        best, monitor="loss", save_best_only=True, save_weights_only=True
    )
    log = tf_keras.callbacks.CSVLogger(os.path.join(folder, "log.csv"))
    board = tf_keras.callbacks.TensorBoard(os.path.join(folder, "board"), write_graph=False)
    killer = Killer(config.get("kill"))
    return [early, backup, log, recorder, plateau, check, board, killer]


def seed(config, source, folder):
    if source.seeded:
        tf_keras.utils.set_random_seed(config.get("seed", 7))
        return
    # What rekindle then chooses must be the same in the run that is never killed, and in the
    # run that is killed; not in the run that resumes.
    first = 100 if os.path.exists(os.path.join(folder, "backup")) else 0
    chosen = iter(range(first + 1, first + 1000))
    secrets.randbits = lambda bits: next(chosen)
    random.seed(7)
    np.random.seed(7)


def main(config):
    warnings.simplefilter("always" if os.environ.get("EXACT_WARNINGS") else "ignore")
    folder = config["folder"]
    os.makedirs(folder, exist_ok=True)
    if not list(pathlib.Path(folder, "backup").glob("ckpt-*.json")):
        # What a process that died before its first checkpoint has left would be there twice.
        shutil.rmtree(os.path.join(folder, "board"), ignore_errors=True)
    source = sources.SOURCES[config["source"]]
    training = config.get("training", "plain")
    seed(config, source, folder)
    if training == "random generators":
        tf_keras.backend.experimental.enable_tf_random_generator()
    if training == "float16":
        tf_keras.mixed_precision.set_global_policy("mixed_float16")
    strategy = strategy_of(training)
    with strategy.scope():
        model = make_model(source, training)
    recorder = (Recorder if config["save_freq"] == "epoch" else BatchRecorder)(source.draws)
    used = callbacks_of(config, folder, recorder)
    early, callback, plateau, check = used[0], used[1], used[4], used[5]
    given = source.make()
    if training == "stateful LSTM":
        given |= {"batch_size": 1, "steps_per_epoch": 11}
    history = model.fit(epochs=EPOCHS, callbacks=used, verbose=config.get("bar", 0), **given)
    everything = variables.values(variables.named(model) | variables.metrics(model))
    report = {
        "variables": {name: digest(value) for name, value in everything.items()},
        "history": {k: [float(v) for v in values] for k, values in history.history.items()},
        "epochs": history.epoch,
        "recorder": repr((recorder.seen, recorder.draws, recorder.total.tolist())),
        "early": repr((early.wait, early.best, early.best_epoch, early.stopped_epoch)),
        "plateau": repr([getattr(plateau, k, None) for k in ("wait", "best", "cooldown_counter")]),
        "check": repr((check.best,)),
        "log": pathlib.Path(folder, "log.csv").read_text(),
        "board": events(os.path.join(folder, "board")),
        "best": hashlib.sha256(b"".join(best_weights(folder))).hexdigest(),
        "left": os.path.exists(callback.backup_dir),
    }
    if not source.draws:
        report["draws"] = next_draws(recorder, source.seeded)
    if getattr(callback, "resume_report", None) is not None:
        with open(os.path.join(folder, "resumed.jsonl"), "a") as file:
            file.write(json.dumps(callback.resume_report) + "\n")
    with open(os.path.join(folder, "report.json"), "w") as file:
        json.dump(report, file)


def best_weights(folder):
    """The bytes of all arrays in the file: under a strategy, tf_keras cannot load it."""
    found = []
    with h5py.File(os.path.join(folder, "best.weights.h5")) as file:
        file.visititems(
            lambda _, one: found.append(one[()].tobytes()) if hasattr(one, "dtype") else None
        )
    return found


def events(folder):
    """Tag, step and value of each record of TensorBoard, over all of its files."""
    return sorted(
        [path.parent.name, value.tag, event.step, value.tensor.tensor_content.hex()]
        for path in pathlib.Path(folder).rglob("events.*")
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    )


def digest(value):
    return hashlib.sha256(np.asarray(value).tobytes()).hexdigest()[:16]


def next_draws(recorder, seeded):
    found = [random.random(), float(np.random.rand()), float(recorder.noise.normal())]
    if seeded:
        found.append(float(tf.random.uniform(())))
        found.append(backend._SEED_GENERATOR.generator.random())
    return found


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
