"""A ``tf.train.Checkpoint`` as the source of a rekindle manager."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rekindle._codec import source
from rekindle._codec.group import Group
from rekindle._codec.status import RestoreStatus
from rekindle._format.snapshot import LoadedCheckpoint, Snapshot
from rekindle._frameworks.loaded import loaded


def is_tensorflow_checkpoint(value: Any) -> bool:
    tf = loaded("tensorflow")
    return tf is not None and isinstance(value, tf.train.Checkpoint)


class TensorFlowCheckpoint(Group):
    """A ``tf.train.Checkpoint`` as a source. Its own save counter counts the saves.

    Attributes:
        checkpoint: The ``tf.train.Checkpoint``.
        was_restored: Whether a checkpoint was restored into it.
    """

    def __init__(self, checkpoint: Any) -> None:
        self.checkpoint = checkpoint
        self.was_restored = False

    @property
    def save_counter(self) -> int:
        return int(self.checkpoint.save_counter.numpy())

    @save_counter.setter
    def save_counter(self, value: int) -> None:
        self.checkpoint.save_counter.assign(value)

    def _group_objects(self) -> dict[str, Any]:
        return {"checkpoint": self.checkpoint}

    def _group_set(self, name: str, value: Any) -> None:
        self.checkpoint = value

    def take(self) -> Snapshot:
        """Captures the state. The save counter in it includes this save, as in TensorFlow."""
        snapshot = source.capture(self)
        name = "checkpoint/save_counter"
        counted = np.asarray(int(snapshot.arrays[name]) + 1, snapshot.arrays[name].dtype)
        return replace(snapshot, arrays={**snapshot.arrays, name: counted})

    def put(self, save: LoadedCheckpoint) -> RestoreStatus:
        """Restores a checkpoint, or raises and changes nothing."""
        return source.restore(self, save)
