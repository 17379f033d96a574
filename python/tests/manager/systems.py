"""One way to drive TensorFlow's manager and ours, so that one test says what both do."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib

import pytest
import tensorflow as tf

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
        """One manager at a time, as TensorFlow asks and we enforce."""
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
        """The names of the checkpoints whose files are there."""
        ending = ".index" if self.is_tensorflow else ".json"
        return {path.stem for path in pathlib.Path(directory).glob(f"*{ending}")}

    @contextlib.contextmanager
    def warns(self, match):
        """TensorFlow says in its log what we say as a warning."""
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
    """What a checkpoint of one variable `v` holds, by way of objects made anew."""
    v = tf.Variable(float("nan"))
    system.restore(system.checkpoint(v=v), path).expect_partial()
    return float(v)
