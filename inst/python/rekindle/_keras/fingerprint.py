"""The settings that define a training step of Keras, and the versions that compute it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np


def take(model: Any, fit: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that define a training step, as plain values, by the names that users know.

    `epochs`, `verbose`, validation data and callbacks are not included: they may change freely.
    """
    found = {
        "backend": keras.backend.backend(),
        "optimizer": _name(getattr(model, "optimizer", None)),
        "loss": _name(getattr(model, "loss", None)),
        "steps_per_execution": int(getattr(model, "steps_per_execution", 1) or 1),
    }
    iterator = fit.get("epoch_iterator")
    if iterator is None:
        return found
    adapter = iterator.data_adapter
    found |= {
        "data": type(adapter).__name__.removesuffix("Adapter"),
        "batch size": _plain(getattr(adapter, "batch_size", None)),
        "number of samples": _plain(getattr(adapter, "_num_samples", None)),
        "batches in an epoch": _plain(adapter.num_batches),
        "steps_per_epoch": _plain(fit.get("steps_per_epoch")),
        "shuffle": _plain(getattr(adapter, "_shuffle", None)),
        "class_weight": _class_weight(fit.get("class_weight")),
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


def _name(value: Any) -> Any:
    """A name for an optimizer or a loss, the same for every way to write it in a script."""
    if isinstance(value, list | tuple):
        return [_name(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _name(item) for key, item in value.items()}
    if value is None or isinstance(value, str):
        return value
    return getattr(value, "__name__", None) or type(value).__name__


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | str) else int(value)


def _class_weight(value: Any) -> Any:
    return None if value is None else [[str(key), float(w)] for key, w in sorted(value.items())]
