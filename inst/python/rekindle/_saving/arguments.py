"""Checks of what users give: the value in plain form, or an error that says what is accepted."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import numpy as np

from rekindle._format.layout import MAX_NUMBER
from rekindle._frameworks import table as frameworks
from rekindle._policy.retention import Best
from rekindle.errors import ArgumentError

A_FOLDER = "the path of a folder, as a string or an os.PathLike"
A_FILE = "the path of a file, as a string or an os.PathLike"

# A URL: its scheme has two letters or more, for `C:/` is a drive of Windows. A pathlib.Path makes
# `s3:/` of `s3://`. Filesystems of fsspec can be chained, as in `simplecache::s3://`.
_URL = re.compile(
    rf"\s*(?:[a-z][a-z0-9+.-]*::)*(?P<scheme>[a-z][a-z0-9+.-]+):(?P<rest>[/{re.escape(os.sep)}].*)",
    re.IGNORECASE | re.DOTALL,
)
_FILE_URL = re.compile(r"//(?:localhost)?(?P<path>/.*)", re.IGNORECASE | re.DOTALL)


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


def path(name: str, value: Any, expected: str = A_FOLDER) -> str:
    """A path of the local file system, `~` expanded; of a `file://` URL its path.

    Raises:
        ArgumentError: It is no path, or a URL of something else.
    """
    text = _spelled(value)
    url = _URL.fullmatch(text)
    found = os.path.expanduser(text) if url is None else _path_of_url(url, name, value)
    if not found or "\0" in found:
        raise invalid(name, value, expected)
    return found


def _spelled(value: Any) -> str:
    """What was given as a path, as text; empty when it is none."""
    if isinstance(value, str | bytes):
        return os.fsdecode(value)
    # A path object of another file system may have no __fspath__, or download for it.
    if _URL.fullmatch(spelled := str(value)):
        return spelled
    if not isinstance(value, os.PathLike):
        return ""
    try:
        return os.fsdecode(os.fspath(value))
    # So do some of those that have it because their base class has.
    except (TypeError, NotImplementedError):
        return ""


def _path_of_url(url: re.Match[str], name: str, value: Any) -> str:
    found = _FILE_URL.fullmatch(url["rest"]) if url["scheme"].lower() == "file" else None
    if found is None:
        raise ArgumentError(
            f"{url[0]!r:.200} is a URL, and rekindle reads and writes local files only."
            " Give a path such as '/data/run', or a URL of this machine's files such as"
            " 'file:///data/run'. To have saves elsewhere, copy the folder there. A local folder"
            " whose name looks like a URL is given with './' in front, as a string.",
            argument=name,
            value=value,
        )
    local = unquote(found["path"], errors="surrogateescape")
    return local[1:] if os.name == "nt" and re.match("/[A-Za-z]:", local) else local


# Where Keras 2 has its models: on its own, in Keras before 3, and in TensorFlow before 2.6.
_KERAS_2 = ("tf_keras", "keras.src.engine", "keras.engine", "tensorflow.python.keras")


def refuse_keras_2(model: Any) -> None:
    """Raises an ArgumentError for a model of Keras 2."""
    for cls in type(model).__mro__:
        if any(f"{cls.__module__}.".startswith(f"{package}.") for package in _KERAS_2):
            raise for_keras_3(f"a {type(model).__name__!r} of {cls.__module__}", model)


def for_keras_3(given: str, value: Any = None) -> ArgumentError:
    return ArgumentError(
        f"This is for Keras 3, and it was given {given}, which is of Keras 2. Make the model with"
        " Keras 3 (`import keras` from version 3 on, and TF_USE_LEGACY_KERAS not set). For Keras 2,"
        " save `tf.train.Checkpoint(model=model, optimizer=optimizer)` by a"
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


# As for what else is saved: more than a reader of JSON can be trusted to take.
_MAX_DEPTH = 100
_MAX_BITS = 1024


def _json(value: Any, name: str, depth: int = 0) -> Any:
    if depth > _MAX_DEPTH:
        raise invalid("with_metadata", "...", f"at most {_MAX_DEPTH} lists inside of each other")
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
        # A loss that is NaN is worth knowing of, and JSON has no word for it.
        return value if math.isfinite(value) else repr(value)
    raise invalid(name, value, "numbers, strings, lists and dicts of these")
