"""JAX arrays and random keys."""

from __future__ import annotations

from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._frameworks.loaded import loaded


def kind(value: Any) -> str | None:
    jax = loaded("jax")
    if not isinstance(value, jax.Array):
        return None
    return "jax.key" if jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key) else "jax"


def elsewhere(value: Any) -> str | None:
    # A process can read shards on its own devices, and full copies wherever they are.
    if value.is_fully_addressable or value.is_fully_replicated:
        return None
    return (
        "a jax array with parts on devices of other processes (not fully addressable). Replace"
        " it by the result of `jax.experimental.multihost_utils.process_allgather(array,"
        " tiled=True)` in every process"
    )


def at_hand(value: Any) -> AnyArray | None:
    if not value.is_fully_addressable or value.is_deleted() or not value.is_ready():
        return None
    return to_numpy(value) if kind(value) == "jax.key" else np.asarray(value)


def to_numpy(value: Any) -> AnyArray:
    if not value.is_fully_addressable:
        # Read the local copy: an operation on all copies would wait for the other processes.
        value = value.addressable_data(0)
    if kind(value) == "jax.key":
        import jax

        return to_numpy(jax.random.key_data(value))
    return np.asarray(value)


def spec(value: Any) -> str:
    if kind(value) == "jax.key":
        return f"{value.dtype} {tuple(value.shape)}"
    return f"{value.dtype.name} {tuple(value.shape)}"


def fits(value: Any, array: AnyArray) -> bool:
    if kind(value) == "jax" and value.dtype == array.dtype and value.shape == array.shape:
        return True
    return spec(value) == f"{array.dtype.name} {tuple(array.shape)}"


def from_numpy(kind: str, array: AnyArray, impl: str | None) -> Any:
    import jax

    # Copy: on a CPU, JAX would else share the memory, and trust that no other code writes there.
    made = jax.numpy.array(array)
    return made if kind == "jax" else jax.random.wrap_key_data(made, impl=impl)


def like(value: Any, array: AnyArray) -> Any:
    import jax

    is_key = kind(value) == "jax.key"
    impl = key_impl(value) if is_key else None
    made = from_numpy("jax.key" if is_key else "jax", array, impl)
    # A weak type decides the type of the next operation's result.
    if getattr(value, "weak_type", False):
        weak = jax.numpy.full(array.shape, array.dtype.type(0).item())
        made = weak.at[...].set(made) if weak.dtype == made.dtype else made
    if value.is_fully_addressable:
        return jax.device_put(made, value.sharding)
    # Not device_put(): it would wait for the other processes, to compare with them.
    return jax.make_array_from_callback(made.shape, value.sharding, lambda box: made[box])


def key_impl(value: Any) -> str:
    """The name of the random number generator that a key belongs to."""
    import jax

    return str(jax.random.key_impl(value))
