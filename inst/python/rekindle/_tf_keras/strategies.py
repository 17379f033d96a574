"""Which strategies of `tf.distribute` a run can be backed up under."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from rekindle import _workers
from rekindle.errors import ArgumentError


def refuse(model: Any) -> None:
    """Refuses a model of a strategy under which a resumed run would not be the same.

    Raises:
        ArgumentError: The model's strategy is neither TensorFlow's default nor MirroredStrategy, or
            several processes train together.
    """
    _workers.refuse_several(model)
    strategy = model.distribute_strategy
    is_default = not tf.distribute.has_strategy() and not getattr(
        model, "_distribution_strategy", None
    )
    # MultiWorkerMirroredStrategy with one worker is a class beside this one.
    if is_default or isinstance(strategy, tf.distribute.MirroredStrategy):
        return
    raise ArgumentError(
        f"{type(strategy)} is not supported yet. BackupAndRestore works with TensorFlow's default"
        " strategy and with MirroredStrategy. Nothing was trained, and no folder was touched. Use"
        " tf_keras.callbacks.BackupAndRestore, which supports some more strategies, or a"
        " rekindle.CheckpointManager in a loop of your own.",
        argument="callbacks",
        value=strategy,
    )
