"""Ways of saving from a custom training loop, as contestants.

Each has four methods. save(step) returns when the loop may continue. wait() returns when the save
is done. sync() syncs the files that the contestant does not sync itself. restore() restores into
the same objects.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import time
import warnings

import keras
import numpy as np

import rekindle
from benchmarks import timing


class Rekindle:
    """rekindle.CheckpointManager."""

    def __init__(self, folder: str, trained, background: bool) -> None:
        checkpoint = rekindle.Checkpoint(model=trained.model, optimizer=trained.model.optimizer)
        self._manager = rekindle.CheckpointManager(checkpoint, folder, 1, background=background)

    def save(self, step: int) -> None:
        self._manager.save()

    def wait(self) -> None:
        self._manager.sync()

    def sync(self) -> None:
        pass

    def restore(self) -> None:
        assert self._manager.restore_or_initialize()

    def close(self) -> None:
        self._manager.close()


class Orbax:
    """orbax.checkpoint.CheckpointManager, saving in the background."""

    def __init__(self, folder: str, trained) -> None:
        import orbax.checkpoint as orbax

        logging.getLogger("absl").setLevel(logging.ERROR)
        self._args, self._trained, self._step = orbax.args, trained, 0
        options = orbax.CheckpointManagerOptions(
            max_to_keep=1, enable_async_checkpointing=True, create=True
        )
        self._manager = orbax.CheckpointManager(folder, options=options)

    def save(self, step: int) -> None:
        self._step = step
        self._manager.save(step, args=self._args.StandardSave(self._trained.arrays))

    def wait(self) -> None:
        self._manager.wait_until_finished()

    def sync(self) -> None:
        pass

    def restore(self) -> None:
        like = self._trained.arrays
        found = self._manager.restore(self._step, args=self._args.StandardRestore(like))
        self._trained.assign({name: found[name] for name in like})

    def close(self) -> None:
        self._manager.close()


class TensorFlow:
    """tf.train.CheckpointManager."""

    def __init__(self, folder: str, variables: list) -> None:
        import tensorflow as tf

        holder = tf.Module()
        holder.variables_saved = variables
        self._folder = folder
        self._checkpoint = tf.train.Checkpoint(holder=holder)
        self._manager = tf.train.CheckpointManager(self._checkpoint, folder, max_to_keep=1)

    def save(self, step: int) -> None:
        self._manager.save()

    def wait(self) -> None:
        pass

    def sync(self) -> None:
        timing.sync_tree(self._folder)

    def restore(self) -> None:
        self._checkpoint.restore(self._manager.latest_checkpoint).assert_consumed()

    def close(self) -> None:
        pass


class TorchSave:
    """torch.save, always into the same file."""

    def __init__(self, folder: str, trained) -> None:
        os.makedirs(folder)
        self._folder, self._path = folder, os.path.join(folder, "state.pt")
        self._trained = trained

    def save(self, step: int) -> None:
        import torch

        torch.save(self._trained.arrays, self._path)

    def wait(self) -> None:
        pass

    def sync(self) -> None:
        timing.sync_tree(self._folder)

    def restore(self) -> None:
        import torch

        self._trained.assign(torch.load(self._path, weights_only=True))

    def close(self) -> None:
        pass


class TorchDistributed(TorchSave):
    """torch.distributed.checkpoint, with one process."""

    def save(self, step: int) -> None:
        import torch.distributed.checkpoint as dcp

        dcp.save(self._state(), checkpoint_id=self._folder, no_dist=True)

    def restore(self) -> None:
        import torch.distributed.checkpoint as dcp

        dcp.load(self._state(), checkpoint_id=self._folder, no_dist=True)

    def _state(self) -> dict:
        # Loading fills these in place.
        return {name: array.detach() for name, array in self._trained.arrays.items()}


def contestants(top: str, trained) -> dict:
    def folder(name: str) -> str:
        return os.path.join(top, name)

    found = {
        "rekindle manager, background=True": Rekindle(folder("behind"), trained, True),
        "rekindle manager": Rekindle(folder("here"), trained, False),
    }
    backend = keras.backend.backend()
    if backend == "jax" and importlib.util.find_spec("orbax") is not None:
        found["orbax CheckpointManager"] = Orbax(folder("orbax"), trained)
    if backend == "tensorflow":
        variables = [variable.value for variable in trained.variables]
        found["tf.train.CheckpointManager"] = TensorFlow(folder("tf"), variables)
    if backend == "torch":
        found["torch.save"] = TorchSave(folder("torch"), trained)
        found["torch.distributed.checkpoint"] = TorchDistributed(folder("dcp"), trained)
    return found


def measure(name: str, contestant, trained, rows: dict, folder: str, saves: int = 3) -> None:
    """Measures some saves of a state that changes between them, and checks one restore."""
    step = len(rows.get(f"{name}: held", ()))
    for index in range(saves):
        trained.step()
        trained.finish()
        timing.claim(trained.size, folder)
        before, began = timing.written_bytes(), time.perf_counter()
        contestant.save(step + index + 1)
        rows.setdefault(f"{name}: held", []).append(time.perf_counter() - began)
        contestant.wait()
        contestant.sync()
        durable = timing.acknowledged_since(began) or time.perf_counter() - began
        rows.setdefault(f"{name}: durable", []).append(durable)
        written = timing.written_bytes() - before
        rows.setdefault(f"{name}: written", []).append(written)
        # Orbax compresses its files.
        assert written > 0.5 * trained.size, "something was not written"
    # The last variable of the optimizer has changed with every batch.
    saved = keras.ops.convert_to_numpy(trained.variables[-1].value).copy()
    trained.step()
    trained.finish()
    timing.claim(trained.size, folder)
    with warnings.catch_warnings(), timing.timed(rows, f"{name}: restore"):
        warnings.simplefilter("ignore")
        contestant.restore()
        trained.finish()
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(trained.variables[-1].value), saved)
