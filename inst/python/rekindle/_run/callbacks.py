"""The state of the other callbacks, whoever wrote them."""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import threading
import types
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from rekindle._objects import stateful as objects
from rekindle._run import special
from rekindle._store.pack import AnyArray, as_bytes, digest
from rekindle._tree import BrokenTreeError, UnsupportedValueError

# What Keras itself gives to each callback at the beginning of each fit().
_GIVEN = {"_model", "model", "params", "validation_data"}

# Objects without a state of their own, or whose state is the system's: nothing is lost with them.
_STATELESS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.ModuleType,
    functools.partial,
    np.ufunc,
    type,
    os.PathLike,
    re.Pattern,
    logging.Logger,
    np.dtype,
    range,
    slice,
    type(threading.Lock()),
    keras.utils.PyDataset,
    keras.losses.Loss,
)

# State of the profiler, of the process or of open files, and what is derived again in the process:
# a callback that monitors a metric turns the sign of `min_delta` when it first sees `monitor_op`
# unset.
_TRANSIENT = {
    "EarlyStopping": {"min_delta", "monitor_op"},
    "ReduceLROnPlateau": {"min_delta", "monitor_op"},
    "TensorBoard": {
        "_batch_start_time",
        "_batch_trace_context",
        "_epoch_start_time",
        "_is_tracing",
        "_log_write_dir",
        "_prev_summary_state",
        "_profiler_started",
        "_should_trace",
        "_should_write_train_graph",
        "_summary_module",
        "_train_dir",
        "_val_dir",
        "_writers",
    },
    "CSVLogger": {"csv_file", "writer", "append_header"},
    "ProgbarLogger": {"progbar", "_called_in_fit"},
}


class CallbackStates:
    """The other callbacks of one fit(), from the moment at which all have reset themselves.

    Only attributes that differ from what they were then are state; what the script sets is the
    script's.

    Args:
        callbacks: The callbacks, in their order. A callback is known again by its class and by its
            place among those of that class.
    """

    def __init__(self, callbacks: list[Any]) -> None:
        self._callbacks: dict[str, Any] = {}
        for callback in callbacks:
            name, again = type(callback).__name__, 1
            while name in self._callbacks:
                again += 1
                name = f"{type(callback).__name__}#{again}"
            self._callbacks[name] = callback
        self._baseline = {
            name: {key: _fingerprint(value) for key, value in _attributes(callback).items()}
            for name, callback in self._callbacks.items()
            if not objects.has_state_dict(callback)
        }

    def take(self, arrays: dict[str, AnyArray]) -> tuple[dict[str, Any], list[str]]:
        """The states by name, and ``Class.attribute`` of each attribute that cannot be saved."""
        lost: list[str] = []
        states = {name: self._take_one(name, arrays, lost) for name in self._callbacks}
        return {name: state for name, state in states.items() if state}, lost

    def _take_one(self, name: str, arrays: dict[str, AnyArray], lost: list[str]) -> dict[str, Any]:
        callback, place = self._callbacks[name], f"callbacks/{name}"
        state: dict[str, Any] = {}
        if objects.has_state_dict(callback):
            state["object"] = objects.take(callback, place, arrays)
            return state
        baseline = self._baseline[name]
        for key, value in _attributes(callback).items():
            found: dict[str, AnyArray] = {}
            try:
                saved = objects.take(value, f"{place}/{key}", found)
            except UnsupportedValueError:
                lost.append(f"{type(callback).__name__}.{key}")
                continue
            if _digest(saved, found) != baseline.get(key):
                state.setdefault("attributes", {})[key] = saved
                arrays.update(found)
        beside = special.take(callback, place, arrays)
        return state | ({"beside": beside} if beside is not None else {})

    def put(self, states: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        """Puts the states back: the names of those whose callback is no longer in the list.

        Raises:
            BrokenTreeError: A state is not one that was taken.
        """
        for name, state in states.items():
            callback = self._callbacks.get(name)
            if callback is None:
                continue
            if not isinstance(state, dict):
                raise BrokenTreeError(f"the state of the callback {name!r} is not an object")
            if "object" in state:
                objects.put(state["object"], arrays, callback)
            for key, saved in state.get("attributes", {}).items():
                value = objects.put(saved, arrays, getattr(callback, key, None))
                setattr(callback, key, value)
            if "beside" in state:
                special.put(callback, state["beside"], arrays)
        return [name for name in states if name not in self._callbacks]


def _attributes(callback: Any) -> dict[str, Any]:
    """The callback's own attributes that may be state."""
    left_out = set(_GIVEN)
    for kind in type(callback).__mro__:
        left_out |= _TRANSIENT.get(kind.__name__, set())
    return {
        key: value
        for key, value in vars(callback).items()
        if key not in left_out and not _is_stateless(value) and not _is_of_model(value, callback)
    }


def _is_stateless(value: Any) -> bool:
    if isinstance(value, _STATELESS):
        return True
    # Data sets give the same data to whoever asks: tf.data's, PyTorch's loaders, and the like.
    return hasattr(value, "element_spec") or type(value).__name__ == "DataLoader"


def _is_of_model(value: Any, callback: Any) -> bool:
    # The model and its optimizer are saved as themselves.
    model = getattr(callback, "model", None)
    return model is not None and (value is model or value is getattr(model, "optimizer", None))


def _fingerprint(value: Any) -> str | None:
    arrays: dict[str, AnyArray] = {}
    try:
        return _digest(objects.take(value, "", arrays), arrays)
    except UnsupportedValueError:
        return None


def _digest(saved: Any, arrays: Mapping[str, AnyArray]) -> str:
    # The arrays' names hold their place, which is another for the baseline: only their order
    # counts.
    parts = [
        digest(as_bytes(array)) + str(array.dtype) + str(array.shape) for array in arrays.values()
    ]
    text = json.dumps(_without_names(saved), sort_keys=True)
    return digest("\0".join([text, *parts]).encode())


def _without_names(saved: Any) -> Any:
    if isinstance(saved, list):
        return [_without_names(item) for item in saved]
    if not isinstance(saved, dict):
        return saved
    tag = saved.get("$")
    if isinstance(tag, list) and len(tag) == 2 and tag[0] in ("array", "scalar"):
        return {"$": [tag[0]]}
    return {key: _without_names(value) for key, value in saved.items()}
