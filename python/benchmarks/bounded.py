"""Work that must grow no faster than the folder: many small arrays, and many foreign files."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

import rekindle
from benchmarks import timing

# The numbers of arrays to restore, each of 100 bytes; and of files beside a checkpoint.
COUNTS = (5_000, 50_000)
FILES = 100_000
INFO = f"`python -m rekindle info` beside {FILES:,} foreign files"


def measured(rounds: int, folder: str) -> dict[str, list[float]]:
    """Seconds of each restore, by the number of arrays, and of each look."""
    rows: dict[str, list[float]] = {}
    folders = {count: os.path.join(folder, str(count)) for count in COUNTS}
    for count, place in folders.items():
        with _manager(place, count, 1.0) as manager:
            manager.save()
    beside = os.path.join(folder, "beside")
    with _manager(beside, 1, 1.0) as manager:
        manager.save()
    for number in range(FILES):
        open(os.path.join(beside, f"foreign-{number}.txt"), "w").close()
    for _ in range(rounds):
        for count, place in folders.items():
            with _manager(place, count, 0.0) as manager:
                with timing.timed(rows, str(count)):
                    manager.restore_or_initialize()
                assert manager.checkpoint.arrays["0"][0] == 1.0
        command = [sys.executable, "-m", "rekindle", "info", beside]
        with timing.timed(rows, INFO):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return rows


def _manager(folder: str, count: int, value: float) -> rekindle.CheckpointManager:
    arrays = {str(number): np.full(25, value, np.float32) for number in range(count)}
    return rekindle.CheckpointManager(rekindle.Checkpoint(arrays=arrays), folder, 1)
