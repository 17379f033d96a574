"""A folder with checkpoints, and its damage."""

from __future__ import annotations

import pathlib

import numpy as np

from rekindle import Checkpoint, CheckpointManager


def fill(home, count, **more):
    """Saves 1 to `count`. In each checkpoint, `w` and `step` are its number."""
    checkpoint = Checkpoint(w=np.zeros(3), step=0)
    with CheckpointManager(checkpoint, home, None, **more) as manager:
        for number in range(1, count + 1):
            checkpoint.w[:] = checkpoint.step = number
            manager.save()
    return pathlib.Path(home)


def flip(path, place=-1):
    data = bytearray(path.read_bytes())
    data[place] ^= 16
    path.write_bytes(data)
