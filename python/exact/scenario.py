"""One training run: kills itself at a given point, resumes from a backup, writes a report.

    scenario.py '{"source": "arrays", "save_freq": 1, "folder": "a", "kill": ["begin", 2, 5]}'

Run it again without `kill`, and it resumes. At its end it writes the whole result of the run to
`<folder>/report.json`, as digests: two runs with equal reports are the same run, bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import random
import signal
import sys
import warnings

import keras
import numpy as np
import sources

from rekindle._keras import variables
from rekindle.keras import BackupAndRestore

EPOCHS = 4


class Killer(keras.callbacks.Callback):
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


class Witness(keras.callbacks.Callback):
    """Records the variables, by name, at the beginning of this process's first epoch."""

    def __init__(self, path):
        super().__init__()
        self._path = pathlib.Path(path)

    def on_epoch_begin(self, epoch, logs=None):
        if not os.path.exists(self._path):
            found = {name: digest(v) for name, v in variables.named(self.model).items()}
            self._path.write_text(json.dumps({"epoch": epoch, "variables": found}))


class Recorder(keras.callbacks.Callback):
    """A user's own callback, with state in lists, arrays, counters and a random generator."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.draws = []
        self.total = np.zeros(3)
        self.noise = np.random.default_rng(11)
        self.tags = {"epochs": (), 7: {1, 2}}

    def on_epoch_begin(self, epoch, logs=None):
        self.draws.append(float(np.random.rand()))

    def on_epoch_end(self, epoch, logs=None):
        self.draws.append(float(self.noise.normal()))
        self.total += [1.0, epoch, logs["loss"]]
        self.tags["epochs"] += (epoch,)


class BatchRecorder(Recorder):
    """The same callback with hooks for every batch, for runs that save by batches."""

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(batch)

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(logs["loss"]))
        self.draws.append(random.random())


def schedule():
    return keras.optimizers.schedules.CosineDecay(0.02, 44, warmup_target=0.03, warmup_steps=7)


# Kinds of training. Each makes a new optimizer.
TRAININGS = {
    "plain": lambda: keras.optimizers.Adam(0.01),
    "schedule, clipping": lambda: keras.optimizers.AdamW(schedule(), global_clipnorm=0.5),
    "momentum, averaged weights": lambda: keras.optimizers.SGD(
        0.01, momentum=0.9, nesterov=True, use_ema=True, ema_overwrite_frequency=5
    ),
    "accumulated gradients": lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=3),
    "scaled loss": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.RMSprop(0.01), dynamic_growth_steps=6
    ),
}


def make_model(source, training):
    model = keras.Sequential(
        [
            keras.layers.Dense(8, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1),
        ]
    )
    if not source.unbuilt:
        model.build((None, sources.FEATURES))
    model.compile(
        TRAININGS[training](),
        loss="mse",
        metrics=["mae"],
        steps_per_execution=source.steps_per_execution,
    )
    return model


def early_stopping():
    return keras.callbacks.EarlyStopping(
        "val_loss", min_delta=0.01, patience=2, restore_best_weights=True
    )


def plateau_of(training):
    """Changes the learning rate; another callback where the kind of training forbids that."""
    if training == "schedule, clipping":
        return keras.callbacks.TerminateOnNaN()  # only the schedule may change the rate
    if training == "momentum, averaged weights":
        return keras.callbacks.SwapEMAWeights()
    return keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_delta=0.05)


def backup_of(config):
    return BackupAndRestore(
        os.path.join(config["folder"], "backup"),
        save_freq=config["save_freq"],
        restore_history=True,
        background=config.get("background", True),
        on_save_error="raise",
        verbose=config.get("verbose", 0),
    )


class Run:
    """The model and the callbacks of one training run, and its report."""

    def __init__(self, config):
        self.config = config
        self.source = sources.SOURCES[config["source"]]
        if self.source.seeded:
            seed = config.get("seed", 7)
            keras.utils.set_random_seed(seed)
            if "torch" in sys.modules:
                sys.modules["torch"].manual_seed(seed)  # Keras does so only on PyTorch.
        training = config.get("training", "plain")
        self.model = make_model(self.source, training)
        self.recorder = (Recorder if config["save_freq"] == "epoch" else BatchRecorder)()
        self.backup = backup_of(config)
        self.best = os.path.join(config["folder"], "best.weights.h5")
        self.csv = os.path.join(config["folder"], "log.csv")
        self.early, self.plateau = early_stopping(), plateau_of(training)
        self.check = keras.callbacks.ModelCheckpoint(
            self.best, monitor="val_loss", save_best_only=True, save_weights_only=True
        )

    def fit(self):
        log = keras.callbacks.CSVLogger(self.csv)
        killer = Killer(self.config.get("kill"))
        callbacks = [self.early, self.backup, log, self.recorder, self.plateau, self.check, killer]
        if self.config.get("witness"):
            callbacks.append(Witness(self.config["witness"]))
        more = {"verbose": self.config.get("bar", 0)} | self.source.make()
        return self.model.fit(epochs=EPOCHS, callbacks=callbacks, **more)

    def report(self, history):
        model, recorder, early, check = self.model, self.recorder, self.early, self.check
        rate = keras.ops.convert_to_numpy(model.optimizer.learning_rate)
        waits = [getattr(self.plateau, k, None) for k in ("wait", "best", "cooldown_counter")]
        tags = recorder.tags
        return {
            "weights": [digest(w) for w in model.get_weights()],
            "seeds": [digest(v) for v in model.variables],
            "optimizer": [digest(v) for v in model.optimizer.variables],
            "learning rate": float(rate),
            "history": {k: [float(v) for v in values] for k, values in history.history.items()},
            "epochs": history.epoch,
            "recorder": repr((recorder.seen, recorder.draws, recorder.total.tolist(), tags)),
            "early": repr((early.wait, early.best, early.best_epoch, early.stopped_epoch)),
            "plateau": repr(waits),
            "check": repr((check.best,)),
            "log": pathlib.Path(self.csv).read_text(),
            "best": digest_file(model, self.best),
            "draws": next_draws(recorder),
            "left": os.path.exists(self.backup.backup_dir),
        }


def main(config):
    warnings.simplefilter("always" if os.environ.get("EXACT_WARNINGS") else "ignore")
    folder = config["folder"]
    os.makedirs(folder, exist_ok=True)
    run = Run(config)
    report = run.report(run.fit())
    if run.backup.resume_report is not None:
        with open(os.path.join(folder, "resumed.jsonl"), "a") as file:
            file.write(json.dumps(run.backup.resume_report) + "\n")
    with open(os.path.join(folder, "report.json"), "w") as file:
        json.dump(report, file)


def digest(value):
    array = np.asarray(keras.ops.convert_to_numpy(value))
    return hashlib.sha256(array.tobytes()).hexdigest()[:16]


def digest_file(model, path):
    model.load_weights(path)
    return [digest(w) for w in model.get_weights()]


def next_draws(recorder):
    found = [random.random(), float(np.random.rand()), float(recorder.noise.normal())]
    found.append(float(keras.ops.convert_to_numpy(keras.random.uniform(()))))
    if "torch" in sys.modules:
        import torch

        found.append(float(torch.rand(())))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        found.append(float(tf.random.uniform(())))
    return found


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
