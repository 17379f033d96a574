"""Every name of Keras that is not public, in one place.

Each function says what happens if a future Keras no longer has the name. Checked with Keras 3.6 to
3.15.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Mapping
from types import CodeType
from typing import Any

import keras

from rekindle._training import frames


def _private(module: str, name: str) -> Any:
    """A private object of Keras, or ``None`` if this version does not have it."""
    try:
        return getattr(importlib.import_module(f"keras.src.{module}"), name)
    except (ImportError, AttributeError):
        return None


_EpochIterator = _private("trainers.epoch_iterator", "EpochIterator")

_pythonify = _private("utils.python_utils", "pythonify_logs")


# Keras runs several steps in an execution. Up to 3.6 it reports the first step, later the last.
_REPORTS_FIRST_STEP = _EpochIterator is not None and not hasattr(
    _EpochIterator, "_enumerate_iterator"
)

CALLBACK_LIST = keras.callbacks.CallbackList


def find_callback_list() -> tuple[Any, CodeType | None]:
    """The CallbackList that calls the current hook, and the code of the fit() that calls the list.

    ``(None, None)`` if there is none, for example if a custom training loop calls the hooks.
    """
    return frames.find_callback_list(CALLBACK_LIST)


def given_metrics(model: Any) -> Any:
    """The metrics that `compile()` got, as they were given; else ``None``."""
    return getattr(getattr(model, "_compile_metrics", None), "_user_metrics", None)


def find_fit() -> dict[str, Any]:
    """The arguments and the data of the fit() that calls the current hook; empty if there is none.

    This takes only names that other modules use: taking all would keep the data alive.
    """
    names = frames.locals_of_fit("epoch_iterator") or {}
    return {name: names[name] for name in _FIT_NAMES if name in names}


_FIT_NAMES = (
    "epoch_iterator",
    "batch_size",
    "steps_per_epoch",
    "shuffle",
    "class_weight",
    "epochs",
    "initial_epoch",
    "val_x",
    "val_y",
    "val_sample_weight",
    "validation_batch_size",
    "validation_steps",
)


def validation_iterator(model: Any) -> Any:
    """The iterator with which fit() reads its validation data; ``None`` before the first time."""
    return getattr(model, "_eval_epoch_iterator", None)


def make_validation_iterator(model: Any, fit: Mapping[str, Any]) -> Any:
    """Makes this iterator before the first validation. fit() then makes none.

    ``None`` if this Keras makes it in another way, or fit() has no validation data.
    """
    kind: Any = type(fit.get("epoch_iterator"))
    if fit.get("val_x") is None:
        return None
    more: dict[str, Any] = {}
    if keras.backend.backend() == "tensorflow":
        more["distribute_strategy"] = model.distribute_strategy
    with contextlib.suppress(TypeError):
        model._eval_epoch_iterator = kind(
            x=fit["val_x"],
            y=fit.get("val_y"),
            sample_weight=fit.get("val_sample_weight"),
            batch_size=fit.get("validation_batch_size") or fit.get("batch_size"),
            steps_per_execution=model.steps_per_execution,
            steps_per_epoch=fit.get("validation_steps"),
            shuffle=False,
            **more,
        )
    return validation_iterator(model)


def can_place(epoch_iterator: Any) -> bool:
    """Whether this epoch iterator's position in the data can be known and reached again."""
    names = ["data_adapter", "_get_iterator", "_num_batches", "steps_per_epoch"]
    if keras.backend.backend() == "tensorflow":
        names += ["_distributed_dataset", "_distribute_strategy"]
    if getattr(epoch_iterator, "steps_per_epoch", None) is not None:
        names += ["_current_iterator"]
        # Up to Keras 3.6, TensorFlow's epoch iterator does not count the steps of an iterator that
        # lives on across epochs.
        names += ["_enumerate_iterator"] if keras.backend.backend() == "tensorflow" else []
    return all(hasattr(epoch_iterator, name) for name in names)


def batches_done(model: Any, batch: int) -> int:
    """How many batches of the epoch are done when hooks get the number `batch`."""
    if _REPORTS_FIRST_STEP:
        return batch + int(getattr(model, "steps_per_execution", 1) or 1)
    return batch + 1


def place_in_epoch(model: Any) -> tuple[int, dict[str, Any]] | None:
    """How many batches of the epoch the running fit() has trained, and the last batch's logs.

    ``None`` if Keras' names for these are not there.
    """
    names = frames.locals_of_fit("epoch_iterator")
    if names is None:
        return None
    step = names.get("end_step", names.get("step"))
    logs = names.get("logs")
    if not isinstance(step, int) or not isinstance(logs, dict) or _pythonify is None:
        return None
    return batches_done(model, step), dict(_pythonify(logs))


def wait_for_hooks(callback_list: Any) -> None:
    """Waits for hooks that are still to run beside the training thread."""
    flush = getattr(callback_list, "_flush_futures", None)
    if flush is not None:
        flush()


def set_initial_epoch(model: Any, epoch: int | None) -> None:
    """Sets fit()'s first epoch. fit() reads it after `on_train_begin`, and never clears it."""
    model._initial_epoch = epoch


def adopt_variables(model: Any) -> None:
    """Makes the train loop use new values of variables. Call it after changes within an epoch.

    On JAX, the train loop keeps the state of its last step, and hands it over once more when the
    data ends. It must hand over the restored state, not the state of the step before.
    """
    state = getattr(model, "_jax_state", None)
    if not isinstance(state, dict):
        return
    owners = {
        "trainable_variables": model.trainable_variables,
        "non_trainable_variables": model.non_trainable_variables,
        "optimizer_variables": getattr(getattr(model, "optimizer", None), "variables", []),
        "metrics_variables": model.metrics_variables,
    }
    for name in state.keys() & owners.keys():
        state[name] = [variable.value for variable in owners[name]]
