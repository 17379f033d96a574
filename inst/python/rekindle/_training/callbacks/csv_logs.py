"""The files of `CSVLogger`, kept until it is sure that the fit() begins.

CSVLogger empties its file in its own `on_train_begin`. When the fit() is refused after that, or has
no epoch left to run, the file has to be as it was: it may be the log of a run that is complete, or
of one that goes on in another process.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import Any

from rekindle._storage.local import fs
from rekindle._training.callbacks import table

# A larger log is not held in memory, and stays as CSVLogger leaves it.
_MOST_BYTES = 1 << 28


class CsvLogs:
    """What the files of the CSVLoggers in a list hold, before training begins.

    Args:
        callbacks: The list.
    """

    def __init__(self, callbacks: Iterable[Any]) -> None:
        self._held: dict[str, bytes] = {}
        for callback in callbacks:
            if table.is_of(callback, "CSVLogger") and not callback.append:
                # A file that cannot be read is Keras' to complain of; a FIFO has nothing to keep.
                with contextlib.suppress(OSError, TypeError, ValueError):
                    path = os.path.realpath(callback.filename)
                    self._held[path] = fs.read_file(path, _MOST_BYTES)

    def put_back(self) -> None:
        """Writes into each file that was emptied what it held."""
        held, self._held = self._held, {}
        for path, data in held.items():
            with contextlib.suppress(OSError):
                if fs.read_part(path, 0, len(data)) == data:
                    continue
                # In place: another process may have the file open, and go on where it was.
                fd, _ = fs.open_regular(path, os.O_WRONLY)
                with fs.closing(fd):
                    fs.write_all(fd, memoryview(data))

    def forget(self) -> None:
        """The fit() has begun: the files are CSVLogger's."""
        self._held = {}
