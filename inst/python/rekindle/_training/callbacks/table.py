"""Which attributes of callbacks are state: by a table for Keras' own, by rules for others.

The callbacks of Synalinks are copies of those of Keras, and are in the table, too.

The table names the attributes that training changes. All else in these callbacks is configuration
(paths, metrics to monitor, patience). The script sets it. rekindle does not save it, and a
checkpoint never changes it.
"""

from __future__ import annotations

import functools
import inspect
import logging
import os
import re
import threading
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rekindle._base.origin import package_of
from rekindle._frameworks import table as frameworks

# Attributes that Keras itself sets in each callback at the beginning of each fit().
_GIVEN = {"_model", "_program", "model", "params", "validation_data"}

_OF_SAVE_FREQ = {"_batches_seen_since_last_saving", "_last_batch_seen"}

_STATE: Mapping[str, set[str]] = {
    "BackupAndRestore": {*_OF_SAVE_FREQ, "_current_epoch"},
    "BudgetStopping": {"_cost_warned", "_epoch", "stopped_batch", "stopped_epoch"},
    "CSVLogger": {"keys"},
    "Callback": set(),
    "EarlyStopping": {
        *("best", "best_epoch", "best_variables", "best_weights", "stopped_epoch", "wait"),
    },
    "History": {"epoch", "history"},
    "LambdaCallback": set(),
    "LearningRateScheduler": set(),
    "ModelCheckpoint": {*_OF_SAVE_FREQ, "best"},
    "Monitor": {"_model_best", "_steps"},
    "MonitorCallback": {"best"},
    "OrbaxCheckpoint": {*_OF_SAVE_FREQ, "_total_batches_seen", "best"},
    "ProgbarLogger": {"seen", "target"},
    "ProgramCheckpoint": {*_OF_SAVE_FREQ, "best"},
    "ReduceLROnPlateau": {"best", "cooldown_counter", "wait"},
    "RemoteMonitor": set(),
    "SwapEMAWeights": {"_ema_weights_in_model"},
    "TensorBoard": {
        "_global_test_batch",
        "_global_train_batch",
        "_previous_epoch_iterations",
        "_train_accumulated_time",
    },
    "TerminateOnNaN": set(),
}


def _is_number(value: Any) -> bool:
    if frameworks.framework(value) not in (None, "numpy", "jax.key"):
        value = frameworks.to_numpy(value)
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float | np.number) or (
        isinstance(value, np.ndarray) and value.shape == () and value.dtype.kind in "iuf"
    )


def _is_count(value: Any, least: int = 0) -> bool:
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_whole and least <= value < 1 << 53


def _is_place(value: Any) -> bool:
    """A count; ``None`` or -1 if counting has not begun."""
    return value is None or _is_count(value, -1)


def _is_list(value: Any, kind: Any) -> bool:
    return value is None or (
        isinstance(value, list | tuple) and all(isinstance(item, kind) for item in value)
    )


# The values that these attributes can have. Keras accepts any value, and then fails in the middle
# of training, or never stops.
_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "_batches_seen_since_last_saving": _is_count,
    "_cost_warned": lambda value: isinstance(value, bool),
    "_current_epoch": _is_place,
    "_ema_weights_in_model": lambda value: isinstance(value, bool),
    "_epoch": _is_count,
    "_global_test_batch": _is_count,
    "_global_train_batch": _is_count,
    "_last_batch_seen": _is_place,
    "_model_best": _is_number,
    "_previous_epoch_iterations": _is_count,
    "_total_batches_seen": _is_count,
    "_train_accumulated_time": _is_number,
    "best": lambda value: value is None or _is_number(value),
    "best_epoch": _is_place,
    "best_variables": lambda value: _is_list(value, dict),
    # TensorFlow gives a variable without dimensions as a number.
    "best_weights": lambda value: _is_list(value, np.ndarray | np.generic),
    "cooldown_counter": _is_count,
    "keys": lambda value: _is_list(value, str),
    "seen": _is_count,
    "stopped_batch": _is_place,
    "stopped_epoch": _is_place,
    "target": _is_place,
    "wait": _is_count,
}

# These only watch: training is the same without them.
_WATCHERS = {
    *("BackupAndRestore", "CSVLogger", "History", "ModelCheckpoint", "OrbaxCheckpoint"),
    *("ProgbarLogger", "ProgramCheckpoint", "RemoteMonitor", "TensorBoard"),
}

# State of the profiler, of the process or of open files, and values that each process derives
# again: a callback that monitors a metric turns the sign of `min_delta` when it first sees
# `monitor_op` unset.
_TRANSIENT: Mapping[str, set[str]] = {
    "BudgetStopping": {
        *("_batch_kind", "_cost_baseline", "_in_training", "_tokens_baseline", "stop_reason"),
    },
    "CSVLogger": {"append_header", "csv_file", "writer"},
    # Up to Keras 3.6, these callbacks do not have the base class `MonitorCallback`.
    "EarlyStopping": {"min_delta", "monitor_op"},
    "ReduceLROnPlateau": {"min_delta", "monitor_op"},
    "ModelCheckpoint": {"_current_epoch", "min_delta", "monitor_op"},
    "MonitorCallback": {"min_delta", "monitor_op"},
    "OrbaxCheckpoint": {"_async_futures", "_current_epoch", "checkpointer"},
    "ProgbarLogger": {"_called_in_fit", "progbar"},
    "ProgramCheckpoint": {"_current_epoch", "monitor_op"},
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
}

# Objects without a state of their own, or whose state belongs to the system. Nothing is lost if
# they are not saved.
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
)


# The libraries that define the classes named in this file.
_LIBRARIES = ("keras", "tf_keras", "synalinks")


def is_of(value: Any, *names: str) -> bool:
    """Whether the value is of a class of Keras with one of these names, or of a derived class."""
    return any(base.__name__ in names for base in _bases_in_keras(type(value)))


def log_path(callback: Any) -> Any:
    """The file of a CSVLogger, as the script names it."""
    # Synalinks has another name for it.
    return getattr(callback, "filename", None) or getattr(callback, "filepath", None)


def attributes(callback: Any) -> dict[str, Any]:
    """The callback's own attributes that may be state."""
    kind: Any = type(callback)
    left_out = transient(kind)
    return {
        name: value
        for name, value in vars(callback).items()
        if name not in left_out
        and may_be_state(kind, name)
        and not is_stateless(value)
        and not _is_of_model(value, callback)
    }


def may_be_state(kind: Any, name: str) -> bool:
    """Whether an attribute of this name can be state of a callback of this class.

    ``False`` for attributes that Keras sets, and for the configuration of Keras' callbacks.
    """
    if name in _GIVEN or name in _configuration(kind):
        return False
    return not _is_in_table(kind) or name in _state(kind)


def is_users(kind: Any, name: str) -> bool:
    """Whether the attribute is one of the user's class, and not state of a class of Keras."""
    return name not in _state(kind)


def only_watches(kind: type) -> bool:
    """Whether the class is one of Keras' own that change nothing in training."""
    return _is_in_table(kind) and kind.__name__ in _WATCHERS


def rule(kind: Any, name: str) -> Callable[[Any], bool] | None:
    """The check for values of this attribute; ``None`` if there is no check for it."""
    return _TYPES.get(name) if name in _state(kind) else None


def transient(kind: type) -> set[str]:
    """Attributes of Keras' callbacks that change in training and that each process makes anew."""
    return set().union(*(_TRANSIENT.get(base.__name__, ()) for base in _bases_in_keras(kind)))


def _is_in_table(kind: type) -> bool:
    return kind in _bases_in_keras(kind) and kind.__name__ in _STATE


def _state(kind: type) -> set[str]:
    return set().union(*(_STATE.get(base.__name__, ()) for base in _bases_in_keras(kind)))


@functools.cache
def _configuration(kind: Any) -> frozenset[str]:
    """The arguments of the constructors of Keras' callbacks that this class derives from."""
    found: set[str] = set()
    for base in _bases_in_keras(kind):
        found |= set(inspect.signature(base.__init__).parameters)  # type: ignore[misc]
    return frozenset(found - _state(kind))


def _bases_in_keras(kind: type) -> list[type]:
    return [base for base in kind.__mro__ if package_of(base) in _LIBRARIES]


def is_stateless(value: Any) -> bool:
    """Whether nothing is lost when the value is not saved."""
    if isinstance(value, _STATELESS) or is_of(value, "PyDataset", "Sequence", "Loss"):
        return True
    # Data sets, such as those of tf.data and PyTorch's loaders, give each reader the same data.
    return hasattr(value, "element_spec") or type(value).__name__ == "DataLoader"


def trained_by(callback: Any) -> list[Any]:
    """The model that the fit() of this callback trains, and its optimizer."""
    model = getattr(callback, "model", None) or getattr(callback, "_program", None)
    return [one for one in (model, getattr(model, "optimizer", None)) if one is not None]


def _is_of_model(value: Any, callback: Any) -> bool:
    # The model and its optimizer are saved by themselves.
    return any(value is one for one in trained_by(callback))
