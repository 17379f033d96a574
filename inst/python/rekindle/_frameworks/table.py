"""Arrays of every framework, as NumPy arrays on the host and back. No framework is imported here.

A value can only be of a framework that its maker has imported, so each is looked up among the
modules of the process.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import ml_dtypes
import numpy as np

from rekindle._base.arrays import AnyArray

# Dtypes that PyTorch has and its NumPy bridge has not, by way of an integer of their size.
_TORCH_BRIDGED = {
    "bfloat16": ("int16", ml_dtypes.bfloat16),
    "float8_e4m3fn": ("uint8", ml_dtypes.float8_e4m3fn),
    "float8_e5m2": ("uint8", ml_dtypes.float8_e5m2),
}


def framework(value: Any) -> str | None:
    """Whose array or variable the value is, or ``None`` when it is none.

    One of "numpy", "jax", "jax.key", "torch", "tensorflow" and "keras".
    """
    if isinstance(value, np.ndarray):
        return "numpy"
    if isinstance(value, type):
        return None
    keras = sys.modules.get("keras")
    if keras is not None and isinstance(value, variable_base(getattr(keras, "Variable", None))):
        return "keras"
    jax = sys.modules.get("jax")
    if jax is not None and isinstance(value, jax.Array):
        return "jax.key" if _is_key(value) else "jax"
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return "torch"
    tf = sys.modules.get("tensorflow")
    if tf is not None and isinstance(value, tf.Tensor | tf.Variable):
        return "tensorflow"
    return None


@functools.cache
def variable_base(exported: Any) -> Any:
    """The class of all Keras variables: in older versions those of layers are not `exported`."""
    if exported is None:
        return ()
    common = "keras.src.backend.common.variables"
    return next((cls for cls in exported.__mro__ if cls.__module__ == common), exported)


def _is_key(value: Any) -> bool:
    import jax

    return bool(jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key))


def elsewhere(value: Any) -> str | None:
    """Why this process alone cannot read and write the array; ``None`` when it can.

    Shards on several devices of one process can be read, and copies wherever they are.
    """
    kind = framework(value)
    if kind == "keras":
        return elsewhere(value.value)
    if kind in ("jax", "jax.key") and not (value.is_fully_addressable or value.is_fully_replicated):
        return (
            "a jax array of which parts are on devices of other processes, not fully addressable."
            " Put in its place what `jax.experimental.multihost_utils.process_allgather(array,"
            " tiled=True)` gives in every process"
        )
    tensor = getattr(sys.modules.get("torch.distributed.tensor"), "DTensor", ())
    if kind == "torch" and isinstance(value, tensor):
        return (
            "a torch DTensor, of which each process may hold a part. Put in its place what its"
            " full_tensor() gives in every process"
        )
    return None


def to_numpy(value: Any) -> AnyArray:
    """The array on the host. It may share memory with `value`: it is to be read at once, or copied.

    Raises:
        TypeError: The array has no such form; the message says why.
    """
    kind = framework(value)
    if kind == "keras":
        return to_numpy(value.value)
    if reason := elsewhere(value):
        raise TypeError(reason)
    if kind in ("jax", "jax.key") and not value.is_fully_addressable:
        # The copy that is here: an operation on all of them would wait for the other processes.
        value = value.addressable_data(0)
    if kind == "jax.key":
        import jax

        return to_numpy(jax.random.key_data(value))
    if kind == "jax":
        return np.asarray(value)
    if kind == "torch":
        return _torch_to_numpy(value)
    if kind == "tensorflow":
        # A variable's own __array__ would copy, and its read_value() take twice the time; that of a
        # tensor knows no scalar of the dtypes that NumPy itself has not.
        tensor = value.value() if hasattr(value, "read_value") else value
        return np.asarray(tensor.numpy() if tensor.shape.rank == 0 else tensor)
    return np.asarray(value)


def _torch_to_numpy(value: Any) -> AnyArray:
    import torch

    if value.layout != torch.strided or value.is_quantized:
        raise TypeError(f"a tensor of layout {value.layout} and dtype {value.dtype} is not dense")
    tensor = value.detach().cpu().resolve_conj().resolve_neg()
    name = str(tensor.dtype).removeprefix("torch.")
    if name in _TORCH_BRIDGED:
        integer, dtype = _TORCH_BRIDGED[name]
        bits: AnyArray = tensor.contiguous().view(getattr(torch, integer)).numpy()
        return bits.view(dtype)
    found: AnyArray = tensor.numpy()
    return found


def spec(value: Any) -> str:
    """Dtype and shape in words, as ``float32 (3, 4)``, without reading a byte of it."""
    if framework(value) == "jax.key":
        return f"{value.dtype} {tuple(value.shape)}"
    name = getattr(value.dtype, "name", None) or str(value.dtype).removeprefix("torch.")
    return f"{name} {_shape(value)}"


def _shape(value: Any) -> tuple[int, ...] | str:
    # Of a variable in TensorFlow, it may be open.
    if framework(value) == "tensorflow" and value.shape.rank is None:
        return "of any shape"
    return tuple(value.shape)


def fits(value: Any, array: AnyArray) -> bool:
    """Whether the array has the dtype of the value, and a shape that it can have."""
    kind = framework(value)
    # The names of dtypes take their time, and there may be thousands of arrays.
    if kind in ("numpy", "jax") and value.dtype == array.dtype and value.shape == array.shape:
        return True
    if kind == "tensorflow" and not value.shape.is_fully_defined():
        same_dtype = value.dtype.name == array.dtype.name
        return bool(same_dtype and value.shape.is_compatible_with(array.shape))
    return spec(value) == spec(array)


def from_numpy(kind: str, array: AnyArray, impl: str | None = None) -> Any:
    """A new array of that framework; the NumPy array itself where nobody has imported it.

    What a file says imports nothing.
    """
    if kind.partition(".")[0] not in sys.modules:
        return array
    if kind in ("jax", "jax.key"):
        import jax

        # A copy: on a CPU, JAX would else share the memory, and trust nobody to write there.
        made = jax.numpy.array(array)
        return made if kind == "jax" else jax.random.wrap_key_data(made, impl=impl)
    if kind == "torch":
        return _torch_from_numpy(array)
    if kind == "tensorflow":
        import tensorflow as tf

        return tf.convert_to_tensor(array)
    return array


def _torch_from_numpy(array: AnyArray) -> Any:
    # A copy, writable and with memory of its own.
    return _torch_view(np.array(array))


def _torch_view(array: AnyArray) -> Any:
    """A tensor that shares the array's memory, where PyTorch can: it wants to be able to write."""
    import torch

    array = np.asarray(array, order="C") if array.flags.writeable else np.array(array)
    if array.dtype.name in _TORCH_BRIDGED:
        integer, _ = _TORCH_BRIDGED[array.dtype.name]
        return torch.from_numpy(array.view(integer)).view(getattr(torch, array.dtype.name))
    return torch.from_numpy(array)


# What is smaller is copied in no time.
_WORTH_SHARING = 1 << 20


def _tensorflow_view(array: AnyArray) -> Any:
    """A tensor that shares the array's memory, where that is worth it and can be; else the array.

    TensorFlow never writes into memory that is not its own: the first update of a variable that was
    given such a tensor copies it, and then lets go of the array.
    """
    plain = array.dtype.isbuiltin == 1 and array.dtype.kind in "iuf" and array.dtype.isnative
    if not plain or array.nbytes < _WORTH_SHARING:
        return array
    if not (array.flags.writeable and array.flags.c_contiguous):
        return array
    import tensorflow as tf

    shared: Any = array  # NumPy's stubs know of it for arrays of numbers alone.
    return tf.experimental.dlpack.from_dlpack(shared.__dlpack__())


def key_impl(value: Any) -> str:
    """The name of the random number generator that a JAX key belongs to."""
    import jax

    return str(jax.random.key_impl(value))


def like(value: Any, array: AnyArray) -> Any:
    """What `value` becomes when given these bytes: itself where it can be changed in place."""
    kind = framework(value)
    if kind == "keras":
        inner = framework(value.value)
        if inner == "torch":
            # Keras would copy twice.
            like(value.value, array)
        else:
            value.assign(_tensorflow_view(array) if inner == "tensorflow" else array)
        return value
    if kind == "numpy":
        if not value.flags.writeable:
            return array.copy()
        # The order of its bytes may be another one.
        np.copyto(value, array, casting="equiv")
        return value
    if kind == "torch":
        import torch

        with torch.no_grad():
            value.copy_(_torch_view(array))
        return value
    if kind == "tensorflow":
        if not hasattr(value, "assign"):
            return from_numpy(kind, array)
        value.assign(_tensorflow_view(array))
        return value
    if kind in ("jax", "jax.key"):
        import jax

        made = from_numpy(kind, array, key_impl(value) if kind == "jax.key" else None)
        # A weak type decides what the next operation's result is of.
        if getattr(value, "weak_type", False):
            weak = jax.numpy.full(array.shape, array.dtype.type(0).item())
            made = weak.at[...].set(made) if weak.dtype == made.dtype else made
        if value.is_fully_addressable:
            return jax.device_put(made, value.sharding)
        # Not device_put(), which would wait for the other processes, to compare.
        return jax.make_array_from_callback(made.shape, value.sharding, lambda box: made[box])
    if isinstance(value, np.generic):
        return array[()]
    raise TypeError(f"a {type(value).__name__!r} is no array that rekindle knows")
