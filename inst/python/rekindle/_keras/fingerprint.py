"""The settings that define a training step of Keras, and the versions that compute it."""

from __future__ import annotations

import contextlib
import json
import platform
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from rekindle._base.arrays import digest
from rekindle._frameworks import keras as keras_objects
from rekindle._training import fingerprint

_WITH_VOCABULARY = ("StringLookup", "IntegerLookup", "TextVectorization")


def take(model: Any, fit: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that define a training step, as plain values, by the names that users know.

    `epochs`, `verbose`, validation data and callbacks are not included: they may change freely.
    """
    found = {
        "backend": keras.backend.backend(),
        "optimizer": fingerprint.name_of(getattr(model, "optimizer", None)),
        "loss": fingerprint.name_of(getattr(model, "loss", None)),
        "steps_per_execution": int(getattr(model, "steps_per_execution", 1) or 1),
        **_devices(model),
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


def _devices(model: Any) -> dict[str, str]:
    """How many devices hold the variables, of which kind, and in which mesh.

    Another number of them adds up in another order.
    """
    variable = next(iter(model.variables), None)
    if variable is None:
        return {}
    value = getattr(variable, "value", None)
    # JAX knows the devices of an array, PyTorch its one device; TensorFlow's strategy has replicas.
    ask = getattr(value, "devices", None)
    found = list(ask()) if callable(ask) else [getattr(value, "device", None)]
    strategy = getattr(model, "distribute_strategy", None)
    count = max(len(found), int(getattr(strategy, "num_replicas_in_sync", None) or 1))
    mesh = getattr(keras.distribution.distribution(), "device_mesh", None)
    shape = "" if mesh is None else f" in a mesh of {' x '.join(map(str, mesh.shape))}"
    return {"devices": f"{count} {_kind(found[0])}{shape}"}


def _kind(device: Any) -> str:
    """The kind of a device, such as ``cpu`` or ``gpu``."""
    named = getattr(device, "platform", None) or getattr(device, "type", None)
    # TensorFlow has texts, such as /job:localhost/replica:0/task:0/device:CPU:0.
    return str(named or str(device).rpartition("device:")[2].partition(":")[0]).lower()


def adapted(model: Any) -> dict[str, Any]:
    """Digests of vocabularies and bins: layers learn them from data, and have no variable for them.

    The same script may learn others, from a file that has grown.
    """
    found: dict[str, Any] = {}
    kinds = [getattr(keras.layers, name, None) for name in _WITH_VOCABULARY]
    with_vocabulary = tuple(kind for kind in kinds if kind is not None)
    for part in keras_objects.unique(keras_objects.parts(model)):
        what: list[Any] | None = None
        # A layer that was not adapted has none, and says so by an error.
        with contextlib.suppress(Exception):
            if isinstance(part, with_vocabulary):
                what = [str(word) for word in part.get_vocabulary()]
            elif isinstance(part, keras.layers.Discretization):
                what = [float(bound) for bound in part.bin_boundaries]
        if what is not None:
            name = f"adapted layer {len(found) + 1}, a {type(part).__name__}"
            found[name] = f"{len(what)} values, {digest(json.dumps(what).encode())}"
    return found


def versions() -> dict[str, str]:
    """The versions of software that may compute other bits in another version."""
    backend = keras.backend.backend()
    found = {"python": platform.python_version(), "keras": keras.__version__}
    found["numpy"] = np.__version__
    module = __import__(backend)
    found[backend] = str(getattr(module, "__version__", "unknown"))
    return found
