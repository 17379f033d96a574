"""Models of a given size. Each batch changes every variable."""

from __future__ import annotations

import keras
import numpy as np

WIDTH = 1024

# Small enough that nothing diverges, and large enough that each float32 weight changes.
RATE = 1e-5


class Trained:
    """A compiled model and data for it.

    Args:
        megabytes: Size of the weights and the optimizer's slots together, all float32.
        frozen: The share of the layers that is not trained. These layers have no slots.
    """

    def __init__(self, megabytes: float, frozen: float = 0.0) -> None:
        weights = megabytes * 1e6 / 4 / (1 + 2 * (1 - frozen))
        depth = max(10 if frozen else 1, round(weights / WIDTH**2))
        width = (
            WIDTH if weights / depth >= WIDTH**2 / 2 else max(1, round((weights / depth) ** 0.5))
        )
        layers = [keras.layers.Dense(width, use_bias=False) for _ in range(depth)]
        for layer in layers[: round(frozen * depth)]:
            layer.trainable = False
        self.model = keras.Sequential([keras.layers.Input((width,)), *layers])
        self.model.compile(keras.optimizers.Adam(RATE), "mse")
        self._random = np.random.default_rng(0)
        self.width = width
        self.step()

    def batches(self, count: int, size: int = 8):
        shape = (count * size, self.width)
        return (
            self._random.standard_normal(shape, np.float32),
            self._random.standard_normal(shape, np.float32),
        )

    def step(self) -> None:
        """Trains one batch. It changes the whole state."""
        # Otherwise, after its own callback resumed a fit(), Keras believes that all epochs are
        # done.
        self.model._initial_epoch = None
        self.model.fit(*self.batches(1), verbose=0)

    @property
    def variables(self) -> list:
        return [*self.model.variables, *self.model.optimizer.variables]

    @property
    def arrays(self) -> dict:
        """The backend's own arrays of the state, by name. They are not copies."""
        return {f"{i}": variable.value for i, variable in enumerate(self.variables)}

    @property
    def size(self) -> int:
        """Bytes of the whole state."""
        return sum(_bytes(variable) for variable in self.variables)

    @property
    def trained_size(self) -> int:
        """The number of bytes that training changes."""
        trained = [*self.model.trainable_variables, *self.model.optimizer.variables]
        return sum(map(_bytes, trained))

    def assign(self, arrays: dict) -> None:
        for variable, array in zip(self.variables, arrays.values(), strict=True):
            variable.assign(array)

    def finish(self) -> None:
        """Returns when the backend has finished all computations."""
        finish(list(self.arrays.values()))


def finish(arrays: list) -> None:
    if keras.backend.backend() == "jax":
        import jax

        jax.block_until_ready(arrays)


def _bytes(variable) -> int:
    return int(np.prod(variable.shape)) * np.dtype(variable.dtype).itemsize
