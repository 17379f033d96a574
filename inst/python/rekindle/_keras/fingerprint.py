"""The settings that define a training step of Keras, and the versions that compute it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from rekindle._training import fingerprint


def take(model: Any, fit: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that define a training step, as plain values, by the names that users know.

    `epochs`, `verbose`, validation data and callbacks are not included: they may change freely.
    """
    found = {
        "backend": keras.backend.backend(),
        "optimizer": fingerprint.name_of(getattr(model, "optimizer", None)),
        "loss": fingerprint.name_of(getattr(model, "loss", None)),
        "steps_per_execution": int(getattr(model, "steps_per_execution", 1) or 1),
    }
    iterator = fit.get("epoch_iterator")
    if iterator is None:
        return found
    adapter = iterator.data_adapter
    found |= {
        "data": type(adapter).__name__.removesuffix("Adapter"),
        "batch size": fingerprint.plain(getattr(adapter, "batch_size", None)),
        "number of samples": fingerprint.plain(getattr(adapter, "_num_samples", None)),
        "batches in an epoch": fingerprint.plain(adapter.num_batches),
        "steps_per_epoch": fingerprint.plain(fit.get("steps_per_epoch")),
        "shuffle": fingerprint.plain(getattr(adapter, "_shuffle", None)),
        "class_weight": fingerprint.class_weights(fit.get("class_weight")),
    }
    return found


def versions() -> dict[str, str]:
    """The versions of software that may compute other bits in another version."""
    backend = keras.backend.backend()
    found = {"python": platform.python_version(), "keras": keras.__version__}
    found["numpy"] = np.__version__
    module = __import__(backend)
    found[backend] = str(getattr(module, "__version__", "unknown"))
    return found
