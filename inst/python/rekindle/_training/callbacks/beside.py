"""Callbacks of Keras whose state is not in their attributes, but in files or in another object.

`CSVLogger` wipes its file when training begins, before other code could read it. So the checkpoint
holds the file's bytes. `ProgbarLogger` makes its bar anew in each epoch. So the checkpoint holds
the bar's numbers.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rekindle import errors
from rekindle._base.arrays import AnyArray
from rekindle._codec import tree
from rekindle._codec.tags import is_count
from rekindle._storage.local import fs
from rekindle._training.callbacks import event_files, table
from rekindle._training.callbacks.event_files import EventFiles

_TEXT = (str, bytes, list, dict)
_BAR = ("target", "_seen_so_far", "_values", "_values_order")


class Beside:
    """The state that one callback has beside its attributes.

    Args:
        callback: The callback, when training begins.
    """

    def __init__(self, callback: Any) -> None:
        self._callback = callback
        is_board = table.is_of(callback, "TensorBoard")
        self._event_files = EventFiles(callback) if is_board else None

    def take(self, place: str, arrays: dict[str, AnyArray]) -> Any:
        """Captures this state; ``None`` if there is none."""
        if table.is_of(self._callback, "CSVLogger"):
            data = _log(self._callback)
            return None if data is None else tree.flatten(data, f"{place}/log", arrays)
        if self._event_files is not None:
            return tree.flatten(self._event_files.take(), f"{place}/files", arrays)
        bar = _bar(self._callback)
        if bar is None:
            return None
        numbers = {name: getattr(bar, name, None) for name in _BAR}
        return tree.flatten(numbers, f"{place}/bar", arrays)

    def read(self, saved: Any, arrays: Mapping[str, AnyArray]) -> Callable[[], None]:
        """Checks a result of :meth:`take`, and returns a function that restores it.

        Raises:
            BrokenTreeError: It is not a result of :meth:`take`.
        """
        callback, files, state = self._callback, self._event_files, tree.unflatten(saved, arrays)
        if table.is_of(callback, "CSVLogger"):
            if not isinstance(state, np.ndarray) or state.dtype != np.uint8:
                raise errors.BrokenTreeError("the log of a CSVLogger is not a string of bytes")
            return lambda: _put_log(callback, state.tobytes())
        if files is not None:
            event_files.check(state)
            return lambda: files.put(state)
        if table.is_of(callback, "ProgbarLogger"):
            _check_bar(state)
            return lambda: _put_bar(callback, state)
        kind = type(callback).__name__
        raise errors.BrokenTreeError(f"a {kind} has no state beside its attributes")


def _check_bar(state: Any) -> None:
    if not isinstance(state, dict) or state.keys() != set(_BAR):
        raise errors.BrokenTreeError(
            "the state of a progress bar is not of the form that rekindle saves"
        )
    values, order = state["_values"], state["_values_order"]
    is_right = (
        (state["target"] is None or (is_count(state["target"]) and state["target"]))
        and is_count(state["_seen_so_far"])
        and isinstance(values, dict)
        and isinstance(order, list)
        and all(isinstance(name, str) and name in values for name in order)
        and all(isinstance(pair, list) and len(pair) == 2 for pair in values.values())
        and not any(isinstance(part, _TEXT) for pair in values.values() for part in pair)
    )
    if not is_right:
        raise errors.BrokenTreeError("the numbers of a progress bar are not numbers")


def _put_bar(callback: Any, state: Mapping[str, Any]) -> None:
    bar = _bar(callback)
    for name in _BAR if bar is not None else ():
        # If the script sets the number of steps, the script's number counts.
        if name != "target" or bar.target is None:
            setattr(bar, name, state[name])


def _bar(callback: Any) -> Any:
    if not table.is_of(callback, "ProgbarLogger"):
        return None
    return getattr(callback, "progbar", None)


def _log(callback: Any) -> AnyArray | None:
    file, path = getattr(callback, "csv_file", None), table.log_path(callback)
    # A FIFO, or a device such as /dev/stdout, has no bytes to keep: reading it would wait.
    # Keras 2 writes by TensorFlow's file, which does not say whether it is closed.
    if file is None or getattr(file, "closed", False) or not os.path.isfile(path):
        return None
    file.flush()
    with open(path, "rb") as log:
        return np.frombuffer(log.read(), np.uint8)


def _put_log(callback: Any, data: bytes) -> None:
    """Restores the file. The callback then continues at its end, without a header."""
    path = table.log_path(callback)
    # The file there now may be a FIFO or a device, which stays in its place.
    if os.path.lexists(path) and not os.path.isfile(path):
        return
    file = getattr(callback, "csv_file", None)
    if file is not None:
        file.close()
    # The file itself, if the script names it by a link.
    name = os.path.realpath(path)
    # Written beside its final name, then renamed: a crash here must not lose the log of the run.
    temporary = f"{name}.rekindle"
    # If other code planted a link under this name, the link is removed, not followed.
    fs.remove(temporary)
    fs.write_new(temporary, data, durable=False)
    if os.path.exists(name):
        shutil.copymode(name, temporary)
    os.replace(temporary, name)
    # CSVLogger itself opens the file in this way to append.
    callback.csv_file = open(path, "a")  # noqa: SIM115
    callback.writer = None
    callback.append_header = not data
