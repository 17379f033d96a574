"""TensorFlow tensors and variables, and TensorFlow's random state in eager execution."""

from __future__ import annotations

from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._frameworks.loaded import loaded

# In bytes. The copy of a smaller array takes almost no time.
_WORTH_SHARING = 1 << 20


def kind(value: Any) -> str | None:
    tf = loaded("tensorflow")
    return "tensorflow" if isinstance(value, tf.Tensor | tf.Variable) else None


def elsewhere(value: Any) -> str | None:
    return None


def at_hand(value: Any) -> AnyArray | None:
    # Nothing tells whether a GPU has computed a tensor. A symbolic tensor has no value.
    if not hasattr(value, "numpy") or "CPU" not in value.device:
        return None
    return np.asarray(value.numpy())


def to_numpy(value: Any) -> AnyArray:
    # A variable's own __array__ would copy, and its read_value() would take twice the time. The
    # __array__ of a tensor cannot handle a scalar of a dtype that NumPy itself does not have.
    tensor = value.value() if hasattr(value, "read_value") else value
    return np.asarray(tensor.numpy() if tensor.shape.rank == 0 else tensor)


def spec(value: Any) -> str:
    # The shape of a variable may be undefined.
    shape = "of any shape" if value.shape.rank is None else tuple(value.shape)
    return f"{value.dtype.name} {shape}"


def fits(value: Any, array: AnyArray) -> bool:
    if not value.shape.is_fully_defined():
        same_dtype = value.dtype.name == array.dtype.name
        return bool(same_dtype and value.shape.is_compatible_with(array.shape))
    return spec(value) == f"{array.dtype.name} {tuple(array.shape)}"


def from_numpy(kind: str, array: AnyArray, impl: str | None) -> Any:
    import tensorflow as tf

    return tf.convert_to_tensor(array)


def like(value: Any, array: AnyArray) -> Any:
    if not hasattr(value, "assign"):
        return from_numpy("tensorflow", array, None)
    value.assign(shared(array))
    return value


def shared(array: AnyArray) -> Any:
    """A tensor that shares the array's memory, if that is possible and worth it; else the array.

    TensorFlow never writes into memory that it does not own. If a variable is given such a tensor,
    its first update copies the tensor, and then releases the array.
    """
    plain = array.dtype.isbuiltin == 1 and array.dtype.kind in "iuf" and array.dtype.isnative
    if not plain or array.nbytes < _WORTH_SHARING:
        return array
    if not (array.flags.writeable and array.flags.c_contiguous):
        return array
    import tensorflow as tf

    data: Any = array  # NumPy's type stubs have __dlpack__() only for arrays of numbers.
    return tf.experimental.dlpack.from_dlpack(data.__dlpack__())


def random_state() -> Any:
    """TensorFlow's eager random state. Operations get their seeds from it once a seed is set."""
    from tensorflow.python.eager import context
    from tensorflow.python.ops import stateful_random_ops

    rng = getattr(context.context(), "_rng", None)
    generator = getattr(stateful_random_ops, "global_generator", None)
    return {
        "context": None if rng is None else _python_random(rng.getstate()),
        "generator": None if generator is None else generator.state.numpy(),
    }


def set_random_state(state: Any, *, skips_generator: bool = False) -> None:
    """Restores a state that :func:`random_state` returned; without its generator, if asked."""
    from tensorflow.python.eager import context
    from tensorflow.python.ops import stateful_random_ops

    rng = getattr(context.context(), "_rng", None)
    if rng is not None and state["context"] is not None:
        version, words, gauss = state["context"]
        rng.setstate((version, tuple(int(word) for word in words), gauss))
    if state["generator"] is not None and not skips_generator:
        stateful_random_ops.get_global_generator().state.assign(state["generator"])


def _python_random(state: Any) -> list[Any]:
    version, words, gauss = state
    return [version, np.array(words, np.uint32), gauss]
