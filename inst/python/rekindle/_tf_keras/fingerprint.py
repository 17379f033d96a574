"""The settings that define a training step of tf_keras, and the versions that compute it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from rekindle._training import fingerprint


def take(model: Any, fit: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that define a training step, as plain values, by the names that users know.

    `epochs`, `verbose`, validation data and callbacks are not included: they may change freely.
    """
    found = {
        "backend": fingerprint.KERAS_2,
        "optimizer": fingerprint.name_of(getattr(model, "optimizer", None)),
        "loss": fingerprint.name_of(getattr(model, "loss", None)),
        "replicas": int(model.distribute_strategy.num_replicas_in_sync),
        "workers": int(getattr(model.distribute_strategy.extended, "_num_workers", 1)),
    }
    handler = fit.get("data_handler")
    if handler is None:
        return found
    adapter = handler._adapter
    return found | {
        "data": type(adapter).__name__.removesuffix("Adapter"),
        "batch size": fingerprint.plain(getattr(adapter, "_batch_size", None)),
        "number of samples": _samples(adapter),
        "steps_per_epoch": fingerprint.plain(fit.get("steps_per_epoch")),
        "shuffle": fingerprint.plain(
            getattr(adapter, "_shuffle", getattr(adapter, "_shuffle_sequence", None))
        ),
        "class_weight": fingerprint.class_weights(fit.get("class_weight")),
    }


def _samples(adapter: Any) -> int | None:
    size, batch = getattr(adapter, "_size", None), getattr(adapter, "_batch_size", None)
    if size is None or batch is None:
        return None
    left = getattr(adapter, "_partial_batch_size", None)
    return int(size * batch - (batch - left if left else 0))


def versions() -> dict[str, str]:
    """The versions of software that may compute other bits in another version."""
    return {
        "python": platform.python_version(),
        "tf_keras": tf_keras.__version__,
        "numpy": np.__version__,
        "tensorflow": tf.__version__,
    }
