"""The training function of a model under backup: its random numbers are counted, see `random_ops`.

It also makes the variables of a model, by tracing a step. Nothing is computed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf
from tensorflow.python.data.ops import iterator_ops
from tensorflow.python.eager import context

from rekindle._frameworks import tensorflow_draws
from rekindle._tf_keras import random_ops


class CountedStep:
    """Takes the place of a model's training function while its fit() is under backup.

    Args:
        model: The model. Its fit() has made its training function.
        waiting: Makes the context in which a step runs.
    """

    def __init__(
        self,
        model: Any,
        waiting: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self._model = model
        self._waiting = waiting
        function: Any = model.train_function
        # A fit() that failed may have left this behind.
        self._function: Any = function._function if isinstance(function, CountedStep) else function
        self._operations = random_ops.RandomOps()
        if not self._is_eager:
            self._count()
        model.train_function = self

    @property
    def _traced(self) -> Any:
        """The function that TensorFlow traces; ``None`` if there is none."""
        found = getattr(self._model, "train_tf_function", None)
        return found if hasattr(found, "experimental_get_tracing_count") else None

    @property
    def _is_eager(self) -> bool:
        runs_eagerly = bool(self._model.run_eagerly) or tf.config.functions_run_eagerly()
        return self._traced is None or runs_eagerly

    def _count(self) -> None:
        function = self._traced
        is_old = function.experimental_get_tracing_count() and not random_ops.has_counters(function)
        if is_old and tensorflow_draws.left_over(function):
            # Trained before without a backup: its kernels hold states that nothing can read.
            self._model.train_function = None
            self._function = self._model.make_train_function()
            is_old = False
        if not is_old:
            self._operations = random_ops.count(self._model, self._traced)

    def __call__(self, iterator: Any) -> Any:
        with self._waiting(), self._operations.traced():
            return self._function(iterator)

    def trace(self, dataset: Any) -> None:
        """Makes all variables that a step uses, by tracing it. Iterators are not made."""
        function = tf.function(self._function) if self._is_eager else self._traced
        # A step that only runs eagerly cannot be traced.
        with contextlib.suppress(Exception), self._operations.traced():
            function.get_concrete_function(_iterator_spec(dataset))

    def inexact(self) -> list[str]:
        """What of the random numbers of a step could not be saved."""
        if self._is_eager:
            unseeded = context.global_seed() is None and _draws(self._model)
            return [_UNSEEDED] if unseeded else []
        validating = getattr(self._model, "test_function", None)
        functions = {"a training step": self._traced, "a validation step": validating}
        return [
            f"{name} draws with TensorFlow's {', '.join(found)}, whose state TensorFlow keeps to"
            " itself"
            for name, function in functions.items()
            if hasattr(function, "experimental_get_tracing_count")
            and (found := tensorflow_draws.left_over(function))
        ]

    def close(self) -> None:
        if self._model.train_function is self:
            self._model.train_function = self._function


_UNSEEDED = (
    "the model runs eagerly and draws random numbers that have no seed: set one by"
    " tf_keras.utils.set_random_seed()"
)


def _draws(model: Any) -> bool:
    """Whether a layer may draw by operations that have a state of their own."""
    own = (getattr(layer, "_random_generator", None) for layer in model._flatten_layers())
    return any(getattr(one, "_rng_type", None) == "legacy_stateful" for one in own)


def _iterator_spec(dataset: Any) -> Any:
    """What TensorFlow needs to know of an iterator to trace a function of it."""
    if not hasattr(dataset, "_input_workers"):
        return iterator_ops.IteratorSpec(dataset.element_spec)
    from tensorflow.python.distribute.input_lib import DistributedIteratorSpec

    return DistributedIteratorSpec(
        dataset._input_workers,
        dataset._element_spec,
        dataset._strategy,
        dataset._options,
        dataset._cardinality,
        dataset._enable_get_next_as_optional,
        dataset._replica_order,
    )
