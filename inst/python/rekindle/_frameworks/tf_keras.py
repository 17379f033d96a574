"""The random generator of tf_keras that gives seeds to layers and initializers.

This module reads objects of tf_keras but does not import tf_keras.
"""

from __future__ import annotations

import importlib
import random
from typing import Any

import numpy as np

from rekindle._frameworks.loaded import loaded


def _holder() -> Any:
    """Holds the generator, for each thread; ``None`` if this version of tf_keras has no such."""
    if loaded("tf_keras") is None:
        return None
    try:
        return importlib.import_module("tf_keras.src.backend")._SEED_GENERATOR
    except (ImportError, AttributeError):
        return None


def seed_state() -> Any:
    """The generator's state; ``None`` if no seed was set."""
    generator = getattr(_holder(), "generator", None)
    if not isinstance(generator, random.Random):
        return None
    version, words, gauss = generator.getstate()
    return [version, np.array(words, np.uint32), gauss]


def set_seed_state(state: Any) -> None:
    """Restores a :func:`seed_state`."""
    holder = _holder()
    if holder is not None:
        version, words, gauss = state
        generator = random.Random()
        generator.setstate((version, tuple(int(word) for word in words), gauss))
        holder.generator = generator
