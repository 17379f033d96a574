"""Checks the arguments of users: returns a plain value, or raises an error with the valid form."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rekindle._base.checks import invalid, is_int
from rekindle._base.origin import module_of
from rekindle._format.layout import MAX_NUMBER
from rekindle._frameworks import table as frameworks
from rekindle._policy.retention import Best, best_of
from rekindle.errors import ArgumentError


def max_to_keep(value: Any) -> int | None:
    if value is None:
        return None
    if is_int(value) and value >= 1:
        return int(value)
    # TensorFlow's words: the code of its users looks for them.
    raise ArgumentError(
        f"Expected a positive integer or `None` for `max_to_keep`, got {value!r}.",
        argument="max_to_keep",
        value=value,
    )


# The modules of Keras 2 models: the separate package, Keras before 3, and TensorFlow before 2.6.
_KERAS_2 = ("tf_keras", "keras.src.engine", "keras.engine", "tensorflow.python.keras")


def refuse_keras_2(model: Any) -> None:
    """Raises an ArgumentError for a model of Keras 2."""
    for cls in type(model).__mro__:
        if any(f"{module_of(cls)}.".startswith(f"{package}.") for package in _KERAS_2):
            raise for_keras_3(f"a {type(model).__name__!r} of {module_of(cls)}", model)


def for_keras_3(given: str, value: Any = None) -> ArgumentError:
    return ArgumentError(
        f"This is for Keras 3, and it received {given}, which is of Keras 2. To back up a fit() of"
        " Keras 2, use rekindle.tf_keras.BackupAndRestore. Or make the model with Keras 3 (`import"
        " keras` from version 3 on, and TF_USE_LEGACY_KERAS not set). In a custom training loop,"
        " save `tf.train.Checkpoint(model=model, optimizer=optimizer)` with a"
        " rekindle.CheckpointManager.",
        argument="model",
        value=value,
    )


def checkpoint_name(value: Any) -> str:
    is_name = isinstance(value, str) and value and not value.startswith(".")
    if is_name and not set(value) & {"/", "\\", "\0", "\n", "\r", '"'}:
        return str(value)
    raise invalid(
        "checkpoint_name", value, "the first part of a file name, without a folder or a leading dot"
    )


def best(value: Any) -> Best | None:
    return None if value is None else best_of("keep_best", value)


def interval(value: Any, counter: Any) -> int | None:
    if value is None:
        return None
    if not is_int(value) or value < 1:
        raise invalid("checkpoint_interval", value, "a number of steps from 1 up, or None")
    if counter is None:
        # TensorFlow's words.
        raise ArgumentError(
            "`step_counter` should be passed if `checkpoint_interval` is not None.",
            argument="step_counter",
            value=None,
        )
    return int(value)


def step_counter(value: Any, checkpoint: Any) -> Callable[[], int] | None:
    """Returns a function that returns the current step."""
    if value is None:
        return None
    if isinstance(value, str) and is_integer(getattr(checkpoint, value, None)):
        return lambda: integer(getattr(checkpoint, value), "step_counter")
    if frameworks.framework(value) is not None and is_integer(value):
        return lambda: integer(value, "step_counter")
    if callable(value):
        return lambda: integer(value(), "step_counter")
    raise invalid(
        "step_counter",
        value,
        "an integer scalar variable, a function that returns the step, or the name of a whole"
        " number in the checkpoint",
    )


def step(value: Any) -> int:
    """The number of a step, from a number or from a variable that counts steps."""
    found = value if type(value) is int else is_integer(value) and integer(value, "step")
    if found is not False and 0 <= found <= MAX_NUMBER:
        return int(found)
    raise invalid("step", value, "a whole number from 0 up, or an integer scalar variable")


def number(value: Any) -> int | None:
    if value is None:
        return None
    if is_integer(value) and 0 <= (found := integer(value, "checkpoint_number")) <= MAX_NUMBER:
        return found
    raise invalid(
        "checkpoint_number",
        value,
        "a whole number from 0 up, of at most 18 digits, or an integer scalar variable",
    )


def is_integer(value: Any) -> bool:
    """Whether the value is a whole number, or a scalar variable that holds one."""
    if is_int(value):
        return True
    if frameworks.framework(value) is None or tuple(value.shape) != ():
        return False
    return np.issubdtype(frameworks.to_numpy(value).dtype, np.integer)


def integer(value: Any, name: str) -> int:
    if not is_integer(value):
        raise invalid(name, value, "a whole number")
    return int(value) if is_int(value) else int(frameworks.to_numpy(value))


def write_callbacks(options: Any) -> list[Callable[[str], Any]]:
    """The functions in a ``tf.train.CheckpointOptions`` to call with the path of a checkpoint."""
    if options is None:
        return []
    if not hasattr(options, "experimental_write_callbacks"):
        raise invalid("options", options, "None or a tf.train.CheckpointOptions")
    return list(options.experimental_write_callbacks or [])


def metadata(value: Any) -> dict[str, Any]:
    """Plain JSON values. NumPy numbers become Python numbers. Other types are refused."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise invalid("with_metadata", value, "a dict of names to JSON values")
    return {name: _json(item, f"with_metadata[{name!r}]") for name, item in value.items()}


# The same limits as for the rest of a checkpoint: not every reader of JSON can handle more.
_MAX_DEPTH = 100
_MAX_BITS = 1024


def _json(value: Any, name: str, depth: int = 0) -> Any:
    if depth > _MAX_DEPTH:
        raise invalid("with_metadata", "...", f"at most {_MAX_DEPTH} lists inside each other")
    if isinstance(value, np.generic) or (frameworks.framework(value) and tuple(value.shape) == ()):
        value = frameworks.to_numpy(value).item()
    if isinstance(value, list | tuple):
        return [_json(item, f"{name}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _json(item, f"{name}[{key!r}]", depth + 1) for key, item in value.items()}
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise invalid(name, "...", f"a whole number of at most {_MAX_BITS} bits")
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        # A loss that is NaN is worth saving, and JSON has no NaN.
        return value if math.isfinite(value) else repr(value)
    raise invalid(name, value, "numbers, strings, lists and dicts of these")
