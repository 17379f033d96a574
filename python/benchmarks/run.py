"""What a save and a restore cost, beside Keras' own callback and the machine's limits.

    KERAS_BACKEND=jax python python/benchmarks/run.py [--megabytes 1 100] [--repeats 5]

Each round measures all contestants once, in turn, so that a change of the machine's speed hits all
alike. Printed are medians in seconds with their range, and each median's ratio to that of a plain
write of the same bytes with fsync. Ratios travel between machines, seconds do not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings

import keras
import numpy as np

from rekindle.keras import BackupAndRestore

WIDTH = 1024


def make_model(megabytes):
    """A model whose weights and Adam slots are about so many megabytes of float32."""
    wanted = megabytes * 1e6 / 4 / 3
    depth = max(1, round(wanted / WIDTH**2))
    width = WIDTH if wanted >= WIDTH**2 else max(1, round(wanted**0.5))
    layers = [keras.layers.Dense(width, use_bias=False) for _ in range(depth)]
    model = keras.Sequential([keras.layers.Input((width,)), *layers])
    model.compile("adam", "mse")
    data = np.zeros((8, width), "float32")
    model.fit(data, data, verbose=0)
    return model, data


def state_bytes(model):
    variables = [*model.variables, *model.optimizer.variables]
    return sum(np.asarray(keras.ops.convert_to_numpy(v)).nbytes for v in variables)


class Timed(keras.callbacks.CallbackList):
    """Times how long the callbacks hold training up at its beginning and at the end of an epoch."""

    def on_train_begin(self, logs=None):
        began = time.perf_counter()
        super().on_train_begin(logs)
        self.restored = time.perf_counter() - began

    def on_epoch_end(self, epoch, logs=None):
        began = time.perf_counter()
        super().on_epoch_end(epoch, logs)
        self.saved = time.perf_counter() - began

    def on_train_end(self, logs=None):
        """Without the clean-up: the next fit() is to find the save."""


def callback_round(make_callback, model, data):
    """Seconds for which one save, and the restore in the next fit(), hold training up."""
    folder = tempfile.mkdtemp(prefix="bench-")
    timed = []
    for epochs in (1, 2):
        model._initial_epoch = None  # Keras' own callback leaves the epoch it resumed at
        callbacks = Timed([make_callback(folder)], model=model, add_history=True, epochs=epochs)
        model.fit(data, data, epochs=epochs, verbose=0, callbacks=callbacks)
        timed.append(callbacks)
    shutil.rmtree(folder, ignore_errors=True)
    return timed[0].saved, timed[1].restored


def limits_round(size):
    """Seconds of one copy in memory, and of one plain write of as many bytes with fsync."""
    data = np.random.default_rng(0).integers(0, 255, size, np.uint8)
    began = time.perf_counter()
    copy = data.copy()
    copied = time.perf_counter() - began
    with tempfile.NamedTemporaryFile(prefix="bench-") as file:
        began = time.perf_counter()
        file.write(memoryview(copy))
        file.flush()
        os.fsync(file.fileno())
        return copied, time.perf_counter() - began


def measure(megabytes, repeats):
    model, data = make_model(megabytes)
    size = state_bytes(model)
    rows: dict[str, list[float]] = {}
    makers = {
        "rekindle": BackupAndRestore,
        "keras": keras.callbacks.BackupAndRestore,
    }
    for _ in range(repeats + 1):
        copied, written = limits_round(size)
        rows.setdefault("one copy in memory", []).append(copied)
        rows.setdefault("plain write with fsync", []).append(written)
        for name, make in makers.items():
            saved, restored = callback_round(make, model, data)
            rows.setdefault(f"save, {name}", []).append(saved)
            rows.setdefault(f"restore, {name}", []).append(restored)
    # The first round warms caches up.
    return size, {name: values[1:] for name, values in rows.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--megabytes", type=float, nargs="+", default=[1, 100])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"keras {keras.__version__} on {keras.backend.backend()}, {os.cpu_count()} processors")
    for megabytes in options.megabytes:
        size, rows = measure(megabytes, options.repeats)
        base = statistics.median(rows["plain write with fsync"])
        print(f"\nstate of {size / 1e6:,.1f} MB, medians of {options.repeats}")
        for name, values in rows.items():
            median = statistics.median(values)
            spread = f"{min(values):.4f} to {max(values):.4f} s"
            print(f"  {name:<24}{median / base:>7.2f} x   {median:.4f} s   ({spread})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
