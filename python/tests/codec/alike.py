"""Whether two trees are the same: types, dtypes, shapes and bits."""

from __future__ import annotations

import dataclasses
import math

import jax
import numpy as np
import tensorflow as tf
import torch

from rekindle._frameworks import table as frameworks


def same(one, other):
    if type(one) is not type(other):
        return False
    if isinstance(one, np.generic) or frameworks.framework(one) is not None:
        return _bits(one) == _bits(other)
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if dataclasses.is_dataclass(one):
        return same(vars(one), vars(other))
    return one == other and repr(one) == repr(other)


def _bits(value):
    weak = getattr(value, "weak_type", None)
    if isinstance(value, torch.Tensor):
        raw = value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return str(value.dtype), tuple(value.shape), raw
    if isinstance(value, jax.Array) and jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key):
        return str(value.dtype), tuple(value.shape), _bits(jax.random.key_data(value))
    if isinstance(value, tf.Variable | tf.Tensor):
        value = value.numpy()
    array = np.asarray(value)
    return array.dtype.name, array.shape, array.tobytes(), weak
