"""Checks of what users give: the value in plain form, or an error that says what is accepted."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rekindle import _host
from rekindle._retention import Best
from rekindle.errors import ArgumentError


def invalid(name: str, value: Any, expected: str) -> ArgumentError:
    return ArgumentError(
        f"Invalid value for argument `{name}`. Received: {name}={value!r:.200}. Expected"
        f" {expected}.",
        argument=name,
        value=value,
    )


def flag(name: str, value: Any) -> bool:
    if type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise invalid(name, value, "True or False")


def choice(name: str, value: Any, accepted: tuple[Any, ...]) -> Any:
    if not isinstance(value, bool) and value in accepted:
        return value
    listed = ", ".join(map(repr, accepted[:-1])) + f" or {accepted[-1]!r}"
    raise invalid(name, value, listed)


def is_int(value: Any) -> bool:
    """Whether the value is a whole number: True is one to isinstance() only."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    return isinstance(value, float | np.floating) or is_int(value)


def max_to_keep(value: Any) -> int | None:
    if value is None:
        return None
    if is_int(value) and value >= 1:
        return int(value)
    # TensorFlow's words, which its users' code looks for.
    raise ArgumentError(
        f"Expected a positive integer or `None` for `max_to_keep`, got {value!r}.",
        argument="max_to_keep",
        value=value,
    )


def hours(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if is_number(value) and math.isfinite(value) and value > 0:
        return float(value)
    raise invalid(name, value, "a number of hours above 0, or None")


def optional_int(name: str, value: Any) -> int | None:
    if value is None or is_int(value):
        return None if value is None else int(value)
    raise invalid(name, value, "a whole number, or None")


def function(name: str, value: Any) -> Callable[[], Any] | None:
    if value is None:
        return None
    if callable(value):
        found: Callable[[], Any] = value
        return found
    raise invalid(name, value, "a function of no arguments, or None")


def directory(value: Any) -> str:
    if isinstance(value, str | bytes | os.PathLike) and os.fspath(value):
        return os.path.expanduser(os.fsdecode(value))
    raise invalid("directory", value, "the path of a folder, as a string or an os.PathLike")


def checkpoint_name(value: Any) -> str:
    is_name = isinstance(value, str) and value and not value.startswith(".")
    if is_name and not set(value) & {"/", "\\", "\0", "\n", "\r", '"'}:
        return str(value)
    raise invalid(
        "checkpoint_name", value, "the first part of a file name, without a folder or a leading dot"
    )


def best(value: Any) -> Best | None:
    if value is None:
        return None
    if isinstance(value, tuple | list) and len(value) == 3:
        metric, mode, count = value
        if isinstance(metric, str) and mode in ("min", "max") and is_int(count) and count >= 1:
            return Best(metric, mode, int(count))
    raise invalid(
        "keep_best", value, "(metric, mode, count): a name, 'min' or 'max', and a number from 1 up"
    )


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
    """What gives the current step."""
    if value is None:
        return None
    if isinstance(value, str) and is_integer(getattr(checkpoint, value, None)):
        return lambda: integer(getattr(checkpoint, value), "step_counter")
    if _host.framework(value) is not None and is_integer(value):
        return lambda: integer(value, "step_counter")
    if callable(value):
        return lambda: integer(value(), "step_counter")
    raise invalid(
        "step_counter",
        value,
        "an integer scalar variable, a function that returns the step, or the name of a whole"
        " number in the checkpoint",
    )


def number(value: Any) -> int | None:
    if value is None:
        return None
    if is_integer(value) and (found := integer(value, "checkpoint_number")) >= 0:
        return found
    raise invalid(
        "checkpoint_number", value, "a whole number from 0 up, or an integer scalar variable"
    )


def is_integer(value: Any) -> bool:
    """Whether the value is a whole number, or a scalar variable that holds one."""
    if is_int(value):
        return True
    if _host.framework(value) is None or tuple(value.shape) != ():
        return False
    return np.issubdtype(_host.to_numpy(value).dtype, np.integer)


def integer(value: Any, name: str) -> int:
    if not is_integer(value):
        raise invalid(name, value, "a whole number")
    return int(value) if is_int(value) else int(_host.to_numpy(value))


def write_callbacks(options: Any) -> list[Callable[[str], Any]]:
    """The functions that a ``tf.train.CheckpointOptions`` wants called with the path of a save."""
    if options is None:
        return []
    if not hasattr(options, "experimental_write_callbacks"):
        raise invalid("options", options, "None or a tf.train.CheckpointOptions")
    return list(options.experimental_write_callbacks or [])


def metadata(value: Any) -> dict[str, Any]:
    """Plain JSON values: NumPy's numbers become Python's; what JSON cannot say is refused."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise invalid("with_metadata", value, "a dict of names to JSON values")
    return {name: _json(item, f"with_metadata[{name!r}]") for name, item in value.items()}


def _json(value: Any, name: str) -> Any:
    if isinstance(value, np.generic) or (_host.framework(value) and tuple(value.shape) == ()):
        value = _host.to_numpy(value).item()
    if isinstance(value, list | tuple):
        return [_json(item, f"{name}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _json(item, f"{name}[{key!r}]") for key, item in value.items()}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        # A loss that is NaN is worth knowing of, and JSON has no word for it.
        return value if math.isfinite(value) else repr(value)
    raise invalid(name, value, "numbers, strings, lists and dicts of these")
