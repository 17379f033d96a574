"""Makes a model's variables before its first step, by names of Keras that are not public.

TensorFlow needs this: there, fit() builds a model only in its first step. With other backends, or
if the names are missing, nothing happens, and the caller reports this.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras


def is_built(model: Any) -> bool:
    """Whether the model, its optimizer and its metrics have their variables."""
    optimizer = getattr(model, "optimizer", None)
    metrics = getattr(model, "_compile_metrics", None)
    return (
        bool(model.built)
        and (optimizer is None or bool(optimizer.built))
        and (metrics is None or bool(metrics.built))
    )


def trains_as_keras(model: Any) -> bool:
    """Whether the training step is Keras' own, which calls the model on the data."""
    return getattr(type(model), "train_step", None) is keras.Model.train_step


def from_data(model: Any, epoch_iterator: Any, *, optimizer: bool = True) -> None:
    """Builds the model by calling it on the shapes of the data, as far as this is possible.

    Args:
        model: The compiled model.
        epoch_iterator: Keras' own epoch iterator, of the fit().
        optimizer: Whether to build the optimizer, too.
    """
    build, spec = getattr(model, "_symbolic_build", None), _spec(epoch_iterator)
    if build is None or spec is None:
        return
    # This calls the user's model, perhaps with data for which it was not made.
    alone = contextlib.nullcontext() if optimizer else _left_alone(model.optimizer)
    with contextlib.suppress(Exception), model.distribute_strategy.scope(), alone:
        build(data_batch=spec)


def from_step(model: Any, epoch_iterator: Any) -> None:
    """Builds everything that a training step uses, by tracing a step. Nothing is computed.

    The user's `train_step` runs in the way that Keras makes TensorFlow run it, on placeholders of
    the data.
    """
    spec = _spec(epoch_iterator)
    if spec is None:
        return
    import tensorflow as tf

    def without(one: Any) -> Any:
        return None if isinstance(one, tf.OptionalSpec) else one

    step = tf.function(lambda batch: model.train_step(batch), autograph=False)
    # A step that only runs eagerly cannot be traced.
    with contextlib.suppress(Exception), model.distribute_strategy.scope():
        step.get_concrete_function(tf.nest.map_structure(without, spec))


def _spec(epoch_iterator: Any) -> Any:
    """The shapes and dtypes of a batch; ``None`` on backends other than TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        return None
    dataset = getattr(epoch_iterator, "_distributed_dataset", None)
    return getattr(dataset, "element_spec", None)


@contextlib.contextmanager
def _left_alone(optimizer: Any) -> Iterator[None]:
    """Makes Keras take an optimizer without variables for a built one."""
    if optimizer is None or optimizer.built:
        yield
        return
    optimizer.built = True
    try:
        yield
    finally:
        optimizer.built = False
