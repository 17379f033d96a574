"""Trees of every kind of container, array and plain value, for property tests."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

NUMPY_DTYPES = [
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64", "complex64"),
    *(ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2),
]
JAX_DTYPES = ["bool", "int8", "uint8", "int32", "float16", "float32", "complex64", jnp.bfloat16]
TORCH_DTYPES = [
    *(torch.bool, torch.int8, torch.uint8, torch.int64, torch.float16, torch.bfloat16),
    *(torch.float32, torch.float64, torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2),
]


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclasses.dataclass
class Record:
    first: Any
    second: Any


@dataclasses.dataclass(frozen=True)
class Frozen:
    first: Any
    second: Any


@jax.tree_util.register_pytree_with_keys_class
class Layer:
    """A module as in libraries for JAX: it has arrays, and an attribute outside the tree."""

    def __init__(self, weight, bias, name):
        self.weight, self.bias, self.name = weight, bias, name

    def tree_flatten_with_keys(self):
        key = jax.tree_util.GetAttrKey
        return ((key("weight"), self.weight), (key("bias"), self.bias)), self.name

    @classmethod
    def tree_unflatten(cls, name, children):
        return cls(*children, name)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Module:
    weight: Any
    inner: Any
    name: str = dataclasses.field(default="m", metadata={"static": True})


shapes = st.sampled_from([(), (0,), (1,), (3,), (2, 3), (0, 4), (1, 1, 5)])


@st.composite
def bits(draw, dtypes):
    """An array of any bits: NaNs with payloads, negative zeroes, denormals."""
    dtype, shape = np.dtype(draw(st.sampled_from(dtypes))), draw(shapes)
    raw = draw(hnp.arrays(np.uint8, int(np.prod(shape)) * dtype.itemsize))
    return (raw % 2 if dtype.kind == "b" else raw).view(dtype).reshape(shape)


@st.composite
def tensors(draw):
    raw = draw(hnp.arrays(np.uint8, st.sampled_from([0, 8, 24])))
    dtype = draw(st.sampled_from(TORCH_DTYPES))
    if raw.size == 0:
        return torch.zeros((2, 0), dtype=dtype)
    values = torch.from_numpy(raw.copy())
    return values.bool() if dtype is torch.bool else values.view(dtype)


arrays = (
    bits(NUMPY_DTYPES)
    | bits(JAX_DTYPES).map(jnp.array)
    | tensors()
    | st.sampled_from([np.float32(1.5), np.int8(-3), np.bool_(True)])
)
plain = (
    st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.binary(max_size=4)
    | st.booleans()
    | st.none()
)
keys = st.text(max_size=3) | st.just("$") | st.integers() | st.none()
trees = st.recursive(
    arrays | plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=3)
        | st.builds(Pair, inner, inner)
        | st.builds(Record, inner, inner)
        | st.builds(Frozen, inner, inner)
    ),
    max_leaves=10,
)


def blank(tree):
    """A tree of the same form without the values, as a new process makes it."""
    if isinstance(tree, np.ndarray | jax.Array):
        return (jnp if isinstance(tree, jax.Array) else np).zeros_like(tree)
    if isinstance(tree, torch.Tensor):
        return torch.zeros(tree.shape, dtype=tree.dtype)
    if isinstance(tree, list):
        return [blank(one) for one in tree]
    if isinstance(tree, Pair):
        return Pair(*map(blank, tree))
    if isinstance(tree, tuple):
        return tuple(map(blank, tree))
    if isinstance(tree, dict):
        return {key: blank(one) for key, one in tree.items()}
    if isinstance(tree, Record | Frozen):
        return type(tree)(blank(tree.first), blank(tree.second))
    return None if tree is None else type(tree)()
