"""A process of a run of tf_keras under ParameterServerStrategy: server or coordinator.

    TF_CONFIG='{...}' parameter_server.py '{"folder": "a", "kill": ["epoch_end", 1]}'

The coordinator (task type "chief") trains and writes a report. The other tasks serve until they are
killed.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings

import numpy as np
import tensorflow as tf
import tf_keras
from scenario import Killer

from rekindle.tf_keras import BackupAndRestore

EPOCHS, STEPS = 4, 6


class EpochKiller(Killer):
    """Kills this process at the beginning or the end of an epoch: there are no other hooks."""

    on_train_batch_begin = tf_keras.callbacks.Callback.on_train_batch_begin
    on_train_batch_end = tf_keras.callbacks.Callback.on_train_batch_end

    def on_epoch_begin(self, epoch, logs=None):
        self._die_at("epoch_begin", epoch)


class Tell(tf_keras.callbacks.Callback):
    """Prints each epoch, for the process that watches this one, and gives it some time."""

    def on_epoch_begin(self, epoch, logs=None):
        print(f"epoch {epoch}", flush=True)
        time.sleep(0.5)


def dataset_fn(context):
    rng = np.random.RandomState(0)
    x = rng.normal(size=(48, 4)).astype("float32")
    y = (x[:, :1] - x[:, 1:2]).astype("float32")
    return tf.data.Dataset.from_tensor_slices((x, y)).shuffle(48).batch(8).repeat()


def main(config):
    warnings.simplefilter("default")
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if resolver.task_type in ("worker", "ps"):
        server = tf.distribute.Server(
            resolver.cluster_spec(),
            job_name=resolver.task_type,
            task_index=resolver.task_id,
            protocol="grpc",
            start=True,
        )
        server.join()
    strategy = tf.distribute.ParameterServerStrategy(resolver)
    tf_keras.utils.set_random_seed(7)
    with strategy.scope():
        model = tf_keras.Sequential(
            [
                tf_keras.layers.Dense(8, activation="relu", input_shape=(4,)),
                tf_keras.layers.Dense(1),
            ]
        )
        model.compile(tf_keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    folder = config["folder"]
    options = {"restore_history": True, "delete_checkpoint": False} | config.get("options", {})
    backup = BackupAndRestore(os.path.join(folder, "backup"), **options)
    epochs = config.get("epochs", EPOCHS)
    used = [backup, Tell(), EpochKiller(config.get("kill"))]
    creator = tf_keras.utils.experimental.DatasetCreator(dataset_fn)
    history = model.fit(creator, epochs=epochs, steps_per_epoch=STEPS, callbacks=used, verbose=0)
    report = {
        "epochs": history.epoch,
        "step": int(model.optimizer.iterations.numpy()),
        "weights": [weight.tolist() for weight in model.get_weights()],
        "resumed": backup.resume_report,
    }
    with open(os.path.join(folder, "report.json"), "w") as file:
        json.dump(report, file)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
