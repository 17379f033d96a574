"""Backup folders as fit() leaves them, for tests without Keras."""

from __future__ import annotations

import numpy as np

from rekindle._format.manifest import Position
from rekindle._format.snapshot import Snapshot
from rekindle._repository.repository import Repository
from rekindle._storage.local.storage import LocalStorage


def a_save(index, *, state=None):
    """A snapshot after `index` epochs, as fit() makes it."""
    epochs = list(range(index))
    history = {"epoch": epochs, "metrics": {"loss": [1 / (epoch + 1) for epoch in epochs]}}
    arrays = {
        "model/dense/kernel": np.full((3, 4), index, np.float32),
        "model/frozen/kernel": np.arange(1000, dtype=np.int64),
        "optimizer/iteration": np.asarray(index),
    }
    return Snapshot(arrays, {"history": history} if state is None else state, Position(7, index, 0))


def fill(home, count=3, kept=20, prefix="ckpt", **more):
    folder = Repository(LocalStorage(str(home)), "1.2.3", prefix=prefix)
    folder.open()
    for index in range(1, count + 1):
        folder.commit(a_save(index, **more))
        folder.keep(folder.numbers[-kept:])
    folder.close()


def flip(path, at=-100):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def everything_in(home):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in home.iterdir()}
