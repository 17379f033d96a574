"""The settings that define a training step of Synalinks, and the versions that compute it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import synalinks

from rekindle._synalinks import internals
from rekindle._training import fingerprint


def take(program: Any, fit: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that define a training step, as plain values, by the names that users know.

    `epochs`, `verbose` and callbacks are not included: they may change freely.
    """
    reward = getattr(program, "reward", None)
    found = {
        "backend": "synalinks",
        "optimizer": fingerprint.name_of(getattr(program, "optimizer", None)),
        "reward": getattr(reward, "name", None) or fingerprint.name_of(reward),
        "language models": _models(program),
    }
    iterator = fit.get("epoch_iterator")
    if iterator is None:
        return found
    samples, validation = fit["x"], fit["val_x"]
    return found | {
        "data": type(iterator.data_adapter).__name__.removesuffix("DataAdapter"),
        "batch_size": fingerprint.plain(fit.get("batch_size")),
        "minibatch_size": fingerprint.plain(fit.get("minibatch_size")),
        "number of samples": len(samples) if isinstance(samples, np.ndarray) else None,
        "number of validation samples": len(validation) if hasattr(validation, "__len__") else None,
        "steps_per_epoch": fingerprint.plain(fit.get("steps_per_epoch")),
    }


def _models(program: Any) -> list[str]:
    """The names of the models that the program calls, each once."""
    models = [one for one in internals.modules(program) if hasattr(one, "cumulated_cost")]
    names = [getattr(one, "model", None) for one in models]
    return sorted({name for name in names if isinstance(name, str)})


def versions() -> dict[str, str]:
    """The versions of software that may compute otherwise in another version."""
    return {
        "python": platform.python_version(),
        "synalinks": synalinks.__version__,
        "numpy": np.__version__,
    }
