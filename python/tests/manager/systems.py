"""One interface to TensorFlow's manager and rekindle's, so that one test covers both."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib

import pytest
from every_framework import tf

import rekindle

ALL = ("tensorflow", "rekindle", "rekindle, tf.train.Checkpoint")


class System:
    """A manager's class and a checkpoint's class that belong together.

    Attributes:
        is_tensorflow: Whether both are TensorFlow's own.
    """

    def __init__(self, name):
        self.is_tensorflow = name == "tensorflow"
        self._checkpoint = rekindle.Checkpoint if name == "rekindle" else tf.train.Checkpoint
        self._manager = (tf.train if self.is_tensorflow else rekindle).CheckpointManager
        self._last = None

    def checkpoint(self, **objects):
        return self._checkpoint(**objects)

    def manager(self, checkpoint, directory, max_to_keep=3, **more):
        """Makes the only open manager: TensorFlow asks for that, and rekindle enforces it."""
        self.done()
        self._last = self._manager(checkpoint, directory, max_to_keep, **more)
        return self._last

    def done(self):
        last, self._last = self._last, None
        if isinstance(last, rekindle.CheckpointManager):
            last.close()

    def restore(self, checkpoint, path):
        if self.is_tensorflow or isinstance(checkpoint, rekindle.Checkpoint):
            return checkpoint.restore(path)
        return rekindle.Checkpoint(checkpoint=checkpoint).restore(path)

    def save_outside(self, checkpoint, prefix):
        """Saves without a manager."""
        self.done()
        if self.is_tensorflow or isinstance(checkpoint, rekindle.Checkpoint):
            return checkpoint.save(str(prefix))
        return rekindle.Checkpoint(checkpoint=checkpoint).save(prefix)

    def latest(self, directory):
        return (tf.train if self.is_tensorflow else rekindle).latest_checkpoint(directory)

    def on_disk(self, directory):
        """The names of the checkpoints that have files in the folder."""
        ending = ".index" if self.is_tensorflow else ".json"
        return {path.stem for path in pathlib.Path(directory).glob(f"*{ending}")}

    @contextlib.contextmanager
    def warns(self, match):
        """Expects a warning from rekindle. TensorFlow writes the same to its log."""
        if not self.is_tensorflow:
            with pytest.warns(rekindle.RekindleWarning, match=match):
                yield
            return
        lines = []
        handler = logging.Handler()
        handler.emit = lambda record: lines.append(record.getMessage())
        logger = logging.getLogger("tensorflow")
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
        assert any("behind" in line for line in lines), lines


def names(paths):
    return [os.path.basename(path) for path in paths]


def value(system, path):
    """The value of the variable `v` in a checkpoint, restored into new objects."""
    v = tf.Variable(float("nan"))
    system.restore(system.checkpoint(v=v), path).expect_partial()
    return float(v)
