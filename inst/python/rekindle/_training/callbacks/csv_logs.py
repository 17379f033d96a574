"""Keeps the files of `CSVLogger` until it is certain that the fit() begins.

CSVLogger empties its file in its own `on_train_begin`. If rekindle then refuses the fit(), or the
fit() has no epoch left to run, rekindle must restore the file. It may be the log of a complete run,
or of a run that continues in another process.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import Any

from rekindle._storage.local import fs
from rekindle._training.callbacks import table

# rekindle does not hold a larger log in memory: it stays as CSVLogger leaves it.
_MOST_BYTES = 1 << 28


class CsvLogs:
    """The content of the files of all CSVLoggers in a list, before training begins.

    Args:
        callbacks: The list.
    """

    def __init__(self, callbacks: Iterable[Any]) -> None:
        self._held: dict[str, bytes] = {}
        for callback in callbacks:
            if table.is_of(callback, "CSVLogger") and not callback.append:
                # If a file cannot be read, Keras will report it. A FIFO has nothing to keep.
                with contextlib.suppress(OSError, TypeError, ValueError):
                    path = os.path.realpath(table.log_path(callback))
                    self._held[path] = fs.read_file(path, _MOST_BYTES)

    def put_back(self) -> None:
        """Restores the content of each emptied file."""
        held, self._held = self._held, {}
        for path, data in held.items():
            with contextlib.suppress(OSError):
                if fs.read_part(path, 0, len(data)) == data:
                    continue
                # In place: another process may have the file open, and continue at its position.
                fd, _ = fs.open_regular(path, os.O_WRONLY)
                with fs.closing(fd):
                    fs.write_all(fd, memoryview(data))

    def forget(self) -> None:
        """Drops the content: the fit() has begun, and the files belong to CSVLogger."""
        self._held = {}
