"""The feed of a fit(): one for the backend."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import keras

from rekindle._keras.sources.feeds import PythonFeed
from rekindle._keras.sources.tensorflow_feed import TensorFlowFeed


def feed_of(epoch_iterator: Any, besides: Collection[Any] = ()) -> PythonFeed | TensorFlowFeed:
    """How this fit() reads its data.

    Args:
        epoch_iterator: Keras' own epoch iterator.
        besides: Variables that are saved with the model.
    """
    if keras.backend.backend() == "tensorflow":
        return TensorFlowFeed(epoch_iterator, besides)
    return PythonFeed(epoch_iterator, besides)
