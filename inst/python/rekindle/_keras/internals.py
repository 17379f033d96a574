"""Every name of Keras that is not public, in one place.

Each function says what happens when a future Keras no longer has the name. Seen in Keras 3.6 to
3.15.
"""

from __future__ import annotations

import importlib
import sys
from types import CodeType, FrameType
from typing import Any

import keras


def _private(module: str, name: str) -> Any:
    """A name of Keras' inside, or ``None`` where a version does not have it."""
    try:
        return getattr(importlib.import_module(f"keras.src.{module}"), name)
    except (ImportError, AttributeError):
        return None


_EpochIterator = _private("trainers.epoch_iterator", "EpochIterator")

_pythonify = _private("utils.python_utils", "pythonify_logs")


# Up to Keras 3.6, an execution of several steps is reported by its first step, later by its last.
_REPORTS_FIRST_STEP = _EpochIterator is not None and not hasattr(
    _EpochIterator, "_enumerate_iterator"
)

_CallbackList = keras.callbacks.CallbackList


def find_callback_list() -> tuple[Any, CodeType | None]:
    """The CallbackList that calls the hook we are in, and the code of the fit() that calls it.

    The list is not handed to callbacks; it is the `self` of a frame above. ``(None, None)`` when
    there is none, as when hooks are called by a training loop of one's own.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        owner = frame.f_locals.get("self") if "self" in frame.f_code.co_varnames else None
        if isinstance(owner, _CallbackList) and isinstance(getattr(owner, "callbacks", None), list):
            caller = frame.f_back
            return owner, caller.f_code if caller is not None else None
        frame = frame.f_back
    return None, None


def outermost_callback_list() -> Any:
    """The CallbackList of the fit() that calls the hook we are in; it may hold other lists.

    ``None`` when there is none. The list of a fit() around that one is not meant: it does not hold
    this one.
    """
    found: Any = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        owner = frame.f_locals.get("self") if "self" in frame.f_code.co_varnames else None
        inside = getattr(owner, "callbacks", None) if isinstance(owner, _CallbackList) else None
        if isinstance(inside, list) and (found is None or any(one is found for one in inside)):
            found = owner
        frame = frame.f_back
    return found


def is_running(callback_list: Any, code: CodeType | None) -> bool:
    """Whether a fit() with this CallbackList is on the stack of any thread."""
    if callback_list is None or code is None:
        return False
    for top in sys._current_frames().values():
        frame: FrameType | None = top
        while frame is not None:
            if frame.f_code is code and any(
                value is callback_list for value in frame.f_locals.values()
            ):
                return True
            frame = frame.f_back
    return False


def find_fit() -> dict[str, Any]:
    """The arguments and the data of the fit() that calls the hook we are in; empty without one.

    Only the names that are asked for elsewhere are taken: keeping all would keep the data alive.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "fit" and "epoch_iterator" in frame.f_code.co_varnames:
            names = frame.f_locals
            return {name: names[name] for name in _FIT_NAMES if name in names}
        frame = frame.f_back
    return {}


_FIT_NAMES = (
    "epoch_iterator",
    "batch_size",
    "steps_per_epoch",
    "shuffle",
    "class_weight",
    "epochs",
    "initial_epoch",
)


def can_place(epoch_iterator: Any) -> bool:
    """Whether the place in the data of this iterator of epochs can be known and gone to again."""
    names = ["data_adapter", "_get_iterator", "_num_batches", "steps_per_epoch"]
    if keras.backend.backend() == "tensorflow":
        names += ["_distributed_dataset", "_distribute_strategy"]
    if getattr(epoch_iterator, "steps_per_epoch", None) is not None:
        names += ["_current_iterator"]
        # Up to Keras 3.6, TensorFlow's does not count the steps of an iterator that lives on.
        names += ["_enumerate_iterator"] if keras.backend.backend() == "tensorflow" else []
    return all(hasattr(epoch_iterator, name) for name in names)


def batches_done(model: Any, batch: int) -> int:
    """How many batches of the epoch are done when the hooks are told that `batch` ended."""
    if _REPORTS_FIRST_STEP:
        return batch + int(getattr(model, "steps_per_execution", 1) or 1)
    return batch + 1


def place_in_epoch(model: Any) -> tuple[int, dict[str, Any]] | None:
    """How many batches of the epoch are trained in the fit() above us, and what the last reported.

    ``None`` when Keras' names for it are not there.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "fit" and "epoch_iterator" in frame.f_code.co_varnames:
            names = frame.f_locals
            step = names.get("end_step", names.get("step"))
            logs = names.get("logs")
            if not isinstance(step, int) or not isinstance(logs, dict) or _pythonify is None:
                return None
            return batches_done(model, step), dict(_pythonify(logs))
        frame = frame.f_back
    return None


def dispatch_here(callback_list: Any) -> dict[str, bool]:
    """Has the hooks of batches called on the training thread, and not behind it, as on JAX.

    Two attributes are set and nothing is waited for: it can be called in a signal handler.

    Returns:
        What they were, for :func:`dispatch_as_before`.
    """
    before = {
        name: True
        for name in ("_async_train", "_async_test")
        if getattr(callback_list, name, False)
    }
    for name in before:
        setattr(callback_list, name, False)
    return before


def dispatch_as_before(callback_list: Any, before: dict[str, bool]) -> None:
    for name, value in before.items():
        setattr(callback_list, name, value)


def wait_for_hooks(callback_list: Any) -> None:
    """Waits for the hooks that were still to be called behind the training thread."""
    flush = getattr(callback_list, "_flush_futures", None)
    if flush is not None:
        flush()


def set_initial_epoch(model: Any, epoch: int | None) -> None:
    """What fit() begins with, read after `on_train_begin`; Keras itself never clears it."""
    model._initial_epoch = epoch


def adopt_variables(model: Any) -> None:
    """To be called when variables were assigned in the middle of an epoch.

    On JAX the train loop keeps the state of its last step, and hands that over once more when the
    data ends: it must be the state that was put back, not the one of the step before.
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
