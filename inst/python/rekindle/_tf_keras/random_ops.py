"""Makes the random numbers of a traced training step continue where they were.

Keras 2 traces a training step into a graph. There, `Dropout` and its like draw with operations of
TensorFlow that have their state in a kernel, in C++: nothing can read or set it. A new process
begins the numbers again.

Each of these operations has a stateless counterpart that takes the state as an argument. With the
same seeds, and a counter that grows as the kernel's own does, it gives the same numbers. While a
step is traced, this module puts the counterpart, and a variable for the counter, in the place of
each such operation.
"""

from __future__ import annotations

import contextlib
import secrets
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import gen_random_ops, gen_stateless_random_ops_v2
from tensorflow.python.ops.resource_variable_ops import ResourceVariable

# The kernels reserve so many numbers of 32 bits for each number that they give.
_RESERVED = 256
_PHILOX = 1

# TensorFlow's function for an operation, and the function for its stateless counterpart.
_COUNTERPARTS = {
    "random_uniform": "stateless_random_uniform_v2",
    "random_standard_normal": "stateless_random_normal_v2",
    "truncated_normal": "stateless_truncated_normal_v2",
}


class RandomOps:
    """The random operations of one model's training step, with their counters.

    Attributes:
        state: For each operation, in the order in which they were traced, its seeds and its
            counter: three numbers in a variable. By the number of the replica and of the operation.
    """

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self._counts: dict[int, int] = {}

    @contextlib.contextmanager
    def traced(self) -> Iterator[None]:
        """What is traced in this context draws with counters.

        The replicas of a strategy trace in threads of their own. So this is not for one thread.
        """
        originals = {name: getattr(gen_random_ops, name) for name in _COUNTERPARTS}
        for name, original in originals.items():
            setattr(gen_random_ops, name, self._counterpart(name, original))
        try:
            yield
        finally:
            for name, original in originals.items():
                setattr(gen_random_ops, name, original)

    def _counterpart(self, of: str, original: Callable[..., Any]) -> Callable[..., Any]:
        stateless = getattr(gen_stateless_random_ops_v2, _COUNTERPARTS[of])

        def draw(shape: Any, dtype: Any, seed: int = 0, seed2: int = 0, name: Any = None) -> Any:
            if tf.executing_eagerly():
                return original(shape, dtype, seed=seed, seed2=seed2, name=name)
            state = self._new_state(seed, seed2)
            now = state.read_value()
            shape = tf.convert_to_tensor(shape)
            count = tf.reduce_prod(tf.cast(shape, tf.int64))
            with tf.control_dependencies([now]):
                grown = state.assign_add(tf.stack([0, 0, count * _RESERVED]))
            with tf.control_dependencies([grown]):
                now = tf.cast(now, tf.uint64)
                key, counter = now[0:1], tf.stack([now[2], now[1]])
                return stateless(shape, key, counter, _PHILOX, dtype=dtype, name=name)

        return draw

    def _new_state(self, seed: int, seed2: int) -> Any:
        replica = _replica()
        number = self._counts.get(replica, 0)
        self._counts[replica] = number + 1
        if not seed and not seed2:
            # TensorFlow takes seeds of its own, which no resumed run could know.
            seed, seed2 = secrets.randbits(62), secrets.randbits(62)
        with tf.init_scope():
            # Past the creators of a strategy: each replica draws by itself.
            state = type.__call__(
                ResourceVariable,
                initial_value=tf.constant([seed, seed2, 0], tf.int64),
                trainable=False,
                name="rekindle_random_state",
            )
        self.state[f"{replica}/{number}"] = state
        return state


def _replica() -> int:
    """The number of the replica among those of this process: each worker begins with 0."""
    context = tf.distribute.get_replica_context()
    replica = 0 if context is None else context.replica_id_in_sync_group
    if not isinstance(replica, int) or context is None:
        return 0
    strategy = context.strategy
    workers = int(getattr(strategy.extended, "_num_workers", 1))
    return replica % int(strategy.num_replicas_in_sync // workers)


# The operations of each training function that is counted from its first step on, and those of the
# function that a model has now. TensorFlow must not track the variables as parts of the model.
_of_functions: weakref.WeakKeyDictionary[Any, RandomOps] = weakref.WeakKeyDictionary()
_of_models: weakref.WeakKeyDictionary[Any, RandomOps] = weakref.WeakKeyDictionary()


def of_model(model: Any) -> RandomOps | None:
    """The random operations of a model whose fit() is, or was, under backup."""
    return _of_models.get(model)


def has_counters(function: Any) -> bool:
    return function in _of_functions


def count(model: Any, function: Any) -> RandomOps:
    """Counts the draws of a training function that is not traced yet, from now on."""
    # After compile(), a model has another function, whose operations are numbered from 0 again.
    operations = _of_functions.setdefault(function, RandomOps())
    _of_models[model] = operations
    return operations
