"""A ``tf.train.Checkpoint`` under a manager of ours."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np

from rekindle._format.snapshot import Snapshot
from rekindle.checkpoint import Checkpoint


def is_tensorflow_checkpoint(value: Any) -> bool:
    tf = sys.modules.get("tensorflow")
    return tf is not None and isinstance(value, tf.train.Checkpoint)


class TensorFlowCheckpoint(Checkpoint):
    """A ``tf.train.Checkpoint`` under a manager of ours: its own save counter is the counter."""

    def __init__(self, checkpoint: Any) -> None:
        super().__init__(checkpoint=checkpoint)

    @property
    def save_counter(self) -> int:
        return int(self.checkpoint.save_counter.numpy())

    @save_counter.setter
    def save_counter(self, value: int) -> None:
        # Not by the constructor: the counter that is there goes on.
        if self._objects:
            self.checkpoint.save_counter.assign(value)

    def take(self) -> Snapshot:
        """The state, with this save counted, as TensorFlow saves it."""
        snapshot = super().take()
        name = "checkpoint/save_counter"
        counted = np.asarray(int(snapshot.arrays[name]) + 1, snapshot.arrays[name].dtype)
        return replace(snapshot, arrays={**snapshot.arrays, name: counted})
