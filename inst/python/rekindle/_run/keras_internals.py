"""Every name of Keras that is not public, in one place.

Each function says what happens when a future Keras no longer has the name. Seen in Keras 3.5 to
3.15.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Any

import keras

_CallbackList = keras.callbacks.CallbackList


def find_callback_list() -> tuple[Any, CodeType | None]:
    """The CallbackList that is calling the hook we are in, and the code of the fit() that calls it in turn.

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


def fit_locals() -> dict[str, Any]:
    """The local variables of the fit() that is calling the hook we are in; empty when there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "fit" and "epoch_iterator" in frame.f_code.co_varnames:
            return frame.f_locals
        frame = frame.f_back
    return {}


def set_initial_epoch(model: Any, epoch: int | None) -> None:
    """What fit() begins with, read after `on_train_begin`; Keras itself never clears it."""
    model._initial_epoch = epoch


def sync_variables(model: Any) -> None:
    """On JAX the newest values are in the train loop's own state until it is told to hand them over."""
    sync = getattr(model, "jax_state_sync", None)
    if sync is not None:
        sync()


def build_from_data(model: Any) -> None:
    """Gives an unbuilt model and its optimizer their variables, from the shapes of the data alone.

    Needed on TensorFlow, where fit() builds them only in its first step. Where the names are
    missing the model stays unbuilt, and the caller says so.
    """
    build = getattr(model, "_symbolic_build", None)
    dataset = getattr(fit_locals().get("epoch_iterator"), "_distributed_dataset", None)
    spec = getattr(dataset, "element_spec", None)
    if build is None or spec is None:
        return
    with model.distribute_strategy.scope():
        build(data_batch=spec)
