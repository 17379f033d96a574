"""Callbacks of Keras whose state is not in their attributes, but in files or in another object.

`CSVLogger` wipes its file when training begins, before anybody could read it: so the save holds the
file's bytes. `ProgbarLogger` makes its bar anew in each epoch: so the bar's numbers are in the
save.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from rekindle._run import event_files
from rekindle._store.pack import AnyArray
from rekindle._tree import BrokenTreeError, flatten, unflatten

_BAR = ("target", "_seen_so_far", "_values", "_values_order")


def take(callback: Any, place: str, arrays: dict[str, AnyArray]) -> Any:
    """What there is beside the attributes; ``None`` when there is nothing."""
    if isinstance(callback, keras.callbacks.CSVLogger):
        data = _log(callback)
        return None if data is None else flatten(data, f"{place}/log", arrays)
    if isinstance(callback, keras.callbacks.TensorBoard):
        return flatten(event_files.take(callback), f"{place}/files", arrays)
    bar = _bar(callback)
    if bar is None:
        return None
    return flatten({name: getattr(bar, name, None) for name in _BAR}, f"{place}/bar", arrays)


def put(callback: Any, saved: Any, arrays: Mapping[str, AnyArray]) -> None:
    """Puts back what :func:`take` gave.

    Raises:
        BrokenTreeError: It gave something else.
        OSError: The log file cannot be written.
    """
    state = unflatten(saved, arrays)
    if isinstance(callback, keras.callbacks.CSVLogger):
        if not isinstance(state, np.ndarray) or state.dtype != np.uint8:
            raise BrokenTreeError("the log of a CSVLogger is not a string of bytes")
        _put_log(callback, state.tobytes())
        return
    if isinstance(callback, keras.callbacks.TensorBoard):
        event_files.put(callback, state)
        return
    bar = _bar(callback)
    if bar is not None and isinstance(state, dict):
        for name in _BAR:
            setattr(bar, name, state[name])


def _bar(callback: Any) -> Any:
    if not isinstance(callback, keras.callbacks.ProgbarLogger):
        return None
    return getattr(callback, "progbar", None)


def _log(callback: Any) -> AnyArray | None:
    file = getattr(callback, "csv_file", None)
    if file is None or file.closed:
        return None
    file.flush()
    with open(callback.filename, "rb") as log:
        return np.frombuffer(log.read(), np.uint8)


def _put_log(callback: Any, data: bytes) -> None:
    """Makes the file what it was, and lets the callback go on at its end without a header."""
    file = getattr(callback, "csv_file", None)
    if file is not None:
        file.close()
    # Beside its name and renamed: a crash here must not lose the log of the whole run.
    temporary = f"{callback.filename}.rekindle"
    with open(temporary, "wb") as log:
        log.write(data)
    os.replace(temporary, callback.filename)
    # As CSVLogger itself opens it to append.
    callback.csv_file = open(callback.filename, "a")  # noqa: SIM115
    callback.writer = None
    callback.append_header = not data
