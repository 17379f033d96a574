"""Which strategies of `tf.distribute` a run can be backed up under."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from rekindle import _workers
from rekindle._training.options import FitOptions
from rekindle.errors import ArgumentError

_TPU = (
    "TPUStrategy is not supported: rekindle was never run on a TPU, and does not promise there what"
    " it has not tried. Nothing was trained, and no folder was touched. Use"
    " tf_keras.callbacks.BackupAndRestore, or a rekindle.CheckpointManager in a loop of your own."
)


def refuse(model: Any, options: FitOptions) -> None:
    """Refuses a fit() that cannot be backed up under the strategy of its model.

    Raises:
        ArgumentError: It is one; or several processes train together by other means.
    """
    strategy = model.distribute_strategy
    if has_parameter_servers(model):
        _refuse_batches(options, strategy)
        return
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return
    if isinstance(strategy, tf.distribute.TPUStrategy | tf.distribute.experimental.TPUStrategy):
        raise ArgumentError(_TPU, argument="callbacks", value=strategy)
    _workers.refuse_several(model)
    is_default = not tf.distribute.has_strategy() and not getattr(
        model, "_distribution_strategy", None
    )
    if is_default or isinstance(strategy, tf.distribute.MirroredStrategy):
        return
    # The first sentence begins as that of tf_keras.
    raise ArgumentError(
        f"{type(strategy)} is not supported yet. Currently BackupAndRestore callback only supports"
        " empty strategy, MirroredStrategy, MultiWorkerMirroredStrategy and"
        " ParameterServerStrategy. Nothing was trained, and no folder was touched. Use one of"
        " these, or a rekindle.CheckpointManager in a loop of your own.",
        argument="callbacks",
        value=strategy,
    )


def has_parameter_servers(model: Any) -> bool:
    """Whether a coordinator trains the model with workers and parameter servers."""
    kinds = (
        tf.distribute.ParameterServerStrategy,
        tf.distribute.experimental.ParameterServerStrategy,
    )
    return isinstance(model.distribute_strategy, kinds)


def _refuse_batches(options: FitOptions, strategy: Any) -> None:
    given = None
    if options.save_freq != "epoch":
        given = f"save_freq={options.save_freq!r}"
    elif options.preemption is not None:
        given = "save_before_preemption=True"
    if given is None:
        return
    raise ArgumentError(
        f"Under ParameterServerStrategy, a run can be saved at the end of an epoch only, and"
        f" {given} was given: between two epochs, the coordinator does not know which batches its"
        " workers have trained. Use save_freq='epoch', with short epochs (`steps_per_epoch`)."
        " Nothing was trained, and no folder was touched.",
        argument="callbacks",
        value=strategy,
    )
