"""What data draws from that only Keras and TensorFlow know: seeds of layers, their generators."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import keras
import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._codec import generators
from rekindle._frameworks import keras as keras_objects
from rekindle._frameworks.loaded import loaded


class Seed:
    """A `SeedGenerator` of Keras, by itself or in a layer."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator

    def take(self) -> AnyArray | None:
        try:
            return np.array(keras.ops.convert_to_numpy(self._generator.state))
        # JAX gives a variable of a model to the step that trains it.
        except RuntimeError:
            return None

    def check(self, state: Any) -> None:
        generators.check_like(state, self.take(), "of a layer of the data")

    def put(self, state: AnyArray) -> None:
        self._generator.state.assign(state)


class TensorFlowGenerator:
    """A ``tf.random.Generator``."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator

    def take(self) -> AnyArray:
        return np.array(self._generator.state.numpy())

    def check(self, state: Any) -> None:
        generators.check_like(state, self.take(), "of tf.random.Generator")

    def put(self, state: AnyArray) -> None:
        self._generator.state.assign(state)


def known_to(besides: Collection[Any]) -> Callable[[Any], Mapping[str, Any] | None]:
    """A function that gives the generators in an object of Keras or TensorFlow, by name.

    It gives ``None`` for any other object.

    Args:
        besides: Variables that are saved with the model.
    """
    saved = {id(variable) for variable in besides}

    def known(value: Any) -> Mapping[str, Any] | None:
        if keras_objects.is_seed_generator(value):
            return {} if id(value.state) in saved else {"": Seed(value)}
        if keras_objects.is_owner(value):
            seeds = [
                seed
                for part in keras_objects.parts(value)
                for seed in getattr(part, "_seed_generators", None) or ()
                if id(seed.state) not in saved
            ]
            return {f"/seed {index}": Seed(seed) for index, seed in enumerate(seeds)}
        tf = loaded("tensorflow")
        if tf is not None and hasattr(tf, "random") and isinstance(value, tf.random.Generator):
            return {"": TensorFlowGenerator(value)}
        return None

    return known
