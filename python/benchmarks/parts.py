"""The measurements. Each runs in a separate process on one backend, and returns JSON."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import warnings

import keras
import numpy as np

import rekindle
from benchmarks import (
    bounded,
    callbacks,
    limits,
    looking,
    managers,
    models,
    overhead,
    stores,
    timing,
    training,
    watching,
)
from rekindle.keras import BackupAndRestore

# The number of floats in a small array. There are ten thousand such arrays.
SMALL = 25


def saves(megabytes: float, rounds: int, folder: str, large: bool = False) -> dict:
    """Saving and restoring with every contestant, and the machine's limits, in turn."""
    trained = models.Trained(megabytes)
    size = trained.size
    machine = limits.Limits(size, folder)
    rows: dict[str, list[float]] = {}
    loops = {} if large else managers.contestants(os.path.join(folder, "managers"), trained)
    for index in range(rounds):
        machine.measure(rows)
        top = tempfile.mkdtemp(dir=folder)
        for name, contestant in timing.rotated(callbacks.contestants(top, large), index):
            callbacks.measure(name, contestant, trained, rows, folder)
        shutil.rmtree(top, ignore_errors=True)
        for name, contestant in timing.rotated(loops, index):
            managers.measure(name, contestant, trained, rows, folder)
    for contestant in loops.values():
        contestant.close()
    return {"bytes": size, "rows": rows}


def small(count: int, rounds: int, folder: str) -> dict:
    """Very many very small arrays: TensorFlow variables, saved by both managers."""
    import tensorflow as tf

    variables = [tf.Variable(np.full(SMALL, i, np.float32)) for i in range(count)]
    change = np.ones(SMALL, np.float32)
    mine = rekindle.CheckpointManager(
        rekindle.Checkpoint(variables=variables), os.path.join(folder, "ours"), 1
    )
    theirs = managers.TensorFlow(os.path.join(folder, "tf"), variables)
    rows: dict[str, list[float]] = {}
    for step in range(rounds):
        for name, contestant, back in (
            ("rekindle manager", mine, mine.restore_or_initialize),
            ("tf.train.CheckpointManager", theirs, theirs.restore),
        ):
            for variable in variables:
                variable.assign_add(change)
            saved = variables[-1].numpy().copy()
            with timing.timed(rows, f"{name}: held"):
                contestant.save(step + 1)
            variables[-1].assign_add(change)
            with timing.timed(rows, f"{name}: restore"):
                back()
            np.testing.assert_array_equal(variables[-1].numpy(), saved)
    mine.close()
    return {"bytes": count * SMALL * 4, "rows": rows}


def many(rounds: int, folder: str) -> dict:
    """Restoring 5,000 and 50,000 small NumPy arrays, and a look beside many foreign files."""
    return {"bytes": 0, "rows": bounded.measured(rounds, folder)}


def witness(folder: str) -> dict:
    """What looking at a batch costs, in seconds: the digest, and all else."""
    return {"bytes": 0, "rows": looking.measured(folder)}


def watched(folder: str) -> dict:
    """How fast a fit() trains while it is watched, and while it is not, in batches a second."""
    return {"bytes": 0, "rows": watching.measured(folder)}


def objects(megabytes: float, rounds: int, folder: str) -> dict:
    """Saving into an object store, against its library's own upload and download."""
    return stores.measured(megabytes, rounds, folder)


def frozen(megabytes: float, folder: str) -> dict:
    """Bytes that each save writes, for a model with nine tenths that are not trained."""
    trained = models.Trained(megabytes, frozen=0.9)
    written = {}
    for name, contestant in callbacks.contestants(folder, large=True).items():
        rows: dict[str, list[float]] = {}
        callbacks.measure(name, contestant, trained, rows, folder, epochs=7)
        written[name] = rows[f"{name}: written"]
    return {"bytes": trained.size, "trained": trained.trained_size, "written": written}


def auto(case: str, saves: int, seconds: float, folder: str) -> dict:
    """The cost of saves with save_freq="auto", as a share of the training."""
    return overhead.overhead(case, saves, seconds, folder)


def memory(megabytes: float, name: str, folder: str) -> dict:
    """The peak of extra memory for saving and restoring, compared with the same training."""
    trained = models.Trained(megabytes)
    before = _peak(trained, [], 3)
    # Measure the two separately: a peak of saving must not hide behind that of restoring.
    contestant = callbacks.contestants(folder, large=True)[name]
    saving = _peak(trained, [contestant.callback()], 3)
    timing.join_writer()
    trained.model._initial_epoch = None
    restoring = _peak(trained, [contestant.callback()], 4)
    return {
        "bytes": trained.size,
        "training": before,
        "saving": saving - before,
        "restoring": restoring - before,
    }


def _peak(trained, made: list, epochs: int) -> int:
    trained.model.fit(*trained.batches(1), verbose=0)
    timing.reset_peak()
    trained.model.fit(*trained.batches(2), batch_size=8, epochs=epochs, verbose=0, callbacks=made)
    return timing.memory("VmHWM")


def thousand(megabytes: float, count: int, folder: str) -> dict:
    """Memory, descriptors and threads after each hundred of very many saves."""
    trained = models.Trained(megabytes)
    rows = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if (batch + 1) % 100 == 0:
                timing.join_writer()
                rows.append(
                    {
                        "saves": batch + 1,
                        "memory": timing.memory("VmRSS"),
                        "descriptors": timing.descriptors(),
                        "threads": threading.active_count(),
                        "disk": _tree_size(folder),
                    }
                )

    data = trained.batches(count, 1)
    callback = BackupAndRestore(os.path.join(folder, "ours"), 1)
    trained.model.fit(*data, batch_size=1, verbose=0, callbacks=[callback, Watch()])
    return {"bytes": trained.size, "saves": callback.save_report["saves"], "rows": rows}


def _tree_size(folder: str) -> int:
    return sum(
        os.path.getsize(os.path.join(top, name))
        for top, _, names in os.walk(folder)
        for name in names
    )


_ALL = (
    saves,
    small,
    many,
    objects,
    frozen,
    witness,
    watched,
    training.fits,
    training.turns,
    training.tunings,
    auto,
    training.hooks,
    memory,
    thousand,
)
PARTS = {part.__name__: part for part in _ALL}


def run(part: str, folder: str, arguments: dict) -> dict:
    warnings.simplefilter("ignore")
    timing.note_acknowledgements()
    return PARTS[part](**arguments, folder=folder)
