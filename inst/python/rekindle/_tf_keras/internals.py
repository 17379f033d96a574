"""Every name of tf_keras that is not public, in one place.

Checked with tf_keras 2.21. Where a function may find that a name is gone, it says what happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType
from typing import Any

import numpy as np
import tf_keras

from rekindle._base.arrays import AnyArray
from rekindle._frameworks import table as frameworks
from rekindle._training import frames

# The class has no public name in tf_keras, but its instances are what callbacks are called by.
CALLBACK_LIST: type = tf_keras.callbacks.CallbackList

# Variables of fit() that other modules use. Taking all would keep more alive than is needed.
_FIT_NAMES = (
    "data_handler",
    "x",
    "y",
    "sample_weight",
    "batch_size",
    "steps_per_epoch",
    "initial_epoch",
    "epochs",
    "shuffle",
    "class_weight",
    "max_queue_size",
    "workers",
    "use_multiprocessing",
    "validation_data",
)

# The attributes of a list of callbacks that say which hooks it calls. It sets them once.
_FLAGS = {
    "_should_call_train_batch_hooks": True,
    "_should_call_test_batch_hooks": True,
    # This check needs the time of a hook that was not called.
    "_check_timing": False,
}


# The methods of a data adapter in whose place the feed puts its own, on one adapter.
WATCHED = ("should_recreate_iterator", "on_epoch_end", "_standardize_batch")


def find_callback_list() -> tuple[Any, CodeType | None]:
    """The CallbackList that calls the current hook, and the code of the fit() that calls the list.

    ``(None, None)`` if there is none, for example if a custom training loop calls the hooks.
    """
    return frames.find_callback_list(CALLBACK_LIST)


def find_fit() -> dict[str, Any]:
    """The arguments and the data of the fit() that calls this hook; empty if there is none."""
    names = frames.locals_of_fit("data_handler") or {}
    return {name: names[name] for name in _FIT_NAMES if name in names}


def can_place(handler: Any) -> bool:
    """Whether the position in the data of this data handler can be known and reached again."""
    names = ("_adapter", "_dataset", "_inferred_steps", "_current_step", "_steps_per_execution")
    adapter = getattr(handler, "_adapter", None)
    return all(hasattr(handler, name) for name in names) and all(
        hasattr(adapter, name) for name in ("should_recreate_iterator", "on_epoch_end")
    )


def place_in_epoch() -> tuple[int, dict[str, Any]] | None:
    """How many batches of the epoch the running fit() has trained, and the last batch's logs.

    ``None`` if there is no fit(), or it has trained no batch.
    """
    names = frames.locals_of_fit("data_handler")
    if names is None or not isinstance(names.get("end_step"), int):
        return None
    logs = names.get("logs")
    return names["end_step"] + 1, plain_logs(logs if isinstance(logs, dict) else {})


def plain_logs(logs: Any) -> dict[str, Any]:
    """Logs without tensors: tf_keras hands these to callbacks that say they can take them."""
    return {name: _plain(value) for name, value in (logs or {}).items()}


def _plain(value: Any) -> Any:
    if frameworks.framework(value) is None or isinstance(value, np.ndarray):
        return value
    found: AnyArray = frameworks.to_numpy(value)
    return found.item() if found.shape == () else found


def call_batch_hooks(callback_list: Any) -> dict[str, Any]:
    """Makes a list call the hooks of batches, also if no callback had any when it was made.

    This only sets attributes, so a signal handler can call it.

    Returns:
        The earlier values of the attributes, for :func:`call_hooks_as_before`.
    """
    before = {name: getattr(callback_list, name) for name in _FLAGS if hasattr(callback_list, name)}
    for name in before:
        setattr(callback_list, name, _FLAGS[name])
    return before


def call_hooks_as_before(callback_list: Any, before: dict[str, Any]) -> None:
    for name, value in before.items():
        setattr(callback_list, name, value)


class _Start:
    """Stands where upstream keeps what it restored, and tells fit() with which epoch to begin."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch

    def maybe_load_initial_counters_from_ckpt(
        self, steps_per_epoch: Any, initial_epoch: int, mode: Any
    ) -> tuple[int, int]:
        return self._epoch, 0


def set_initial_epoch(model: Any, epoch: int | None) -> None:
    """Sets fit()'s first epoch; ``None``: as the script has it.

    fit() asks for it after `on_train_begin`. Without this seam, fit() begins with the script's
    epoch, and :meth:`rekindle._training.fit.Fit.epoch_begins` says so.
    """
    # Keras' own callback removes the attribute, and the next fit() fails without it.
    if epoch is not None or isinstance(getattr(model, "_training_state", None), _Start):
        model._training_state = None if epoch is None else _Start(epoch)


def new_handler(handler: Any, fit: Mapping[str, Any]) -> None:
    """Makes a data handler anew, with the arguments of its fit(), as fit() made it."""
    handler.__init__(
        x=fit["x"],
        y=fit["y"],
        sample_weight=fit["sample_weight"],
        batch_size=fit["batch_size"],
        steps_per_epoch=fit["steps_per_epoch"],
        initial_epoch=fit["initial_epoch"],
        epochs=fit["epochs"],
        shuffle=fit["shuffle"],
        class_weight=fit["class_weight"],
        max_queue_size=fit["max_queue_size"],
        workers=fit["workers"],
        use_multiprocessing=fit["use_multiprocessing"],
        model=handler._model,
        steps_per_execution=handler._steps_per_execution,
    )
