"""TensorBoard's event files: truncates them to their lengths at a checkpoint.

Each process appends to a file of its own. The file's name says when it was made and by which
process. Records after the checkpoint belong to steps that run again, and would be there twice.

Other runs may write below the same folder. A checkpoint therefore says which files its run has
written. rekindle truncates these files, whatever process and host their names say: in a container,
each process has the number 1, and a scheduler may start a run again on another host.
"""

from __future__ import annotations

import math
import os
import re
import socket
import time
from collections.abc import Callable
from typing import Any

from rekindle._codec.tags import is_count
from rekindle._storage.local import fs
from rekindle.errors import BrokenTreeError

# events.out.tfevents.<POSIX seconds>.<host>.<pid>.<more>
_NAME = re.compile(r"events\.out\.tfevents\.(\d{1,12})\.(.+)\.(\d{1,10})\.\d+(?:\.v2)?")

# An older file with the number of this process in its name was made by another process.
_STARTED = int(time.time())

# The folders in which Keras' callback writes.
_FOLDERS = {"train", "validation"}


class EventFiles:
    """The event files that one run writes for one TensorBoard callback.

    Args:
        callback: The callback.
    """

    def __init__(self, callback: Any) -> None:
        self._callback = callback
        self._inherited: set[str] = set()

    def take(self) -> dict[str, Any]:
        """Captures the lengths of the files that this run has written, in all its processes."""
        return take(
            self._callback, lambda name: name in self._inherited or _is_by_this_process(name)
        )

    def put(self, state: dict[str, Any]) -> None:
        """Truncates the files. The files of the saved run are this run's from now on."""
        put(self._callback, state)
        self._inherited = set(state.get("written", ()))


def take(callback: Any, is_own: Callable[[str], bool] = bool) -> dict[str, Any]:
    """Captures the length of each event file of the run, and the time of the capture.

    Args:
        callback: The callback.
        is_own: Whether the run has written the file of this name; by default true for each file.
    """
    for writer in getattr(callback, "_writers", {}).values():
        writer.flush()
    sizes = _sizes(str(callback.log_dir))
    written = {name: size for name, size in sizes.items() if is_own(name)}
    return {"time": time.time(), "written": written}


def check(state: Any) -> None:
    """Checks the state that :func:`put` would use.

    Raises:
        BrokenTreeError: It is not a result of :func:`take`.
    """
    if not isinstance(state, dict):
        raise BrokenTreeError("the state of a TensorBoard callback is not an object")
    began, sizes = state["time"], _saved_sizes(state)
    if type(began) is not float or not math.isfinite(began) or not isinstance(sizes, dict):
        raise BrokenTreeError(
            "the state of a TensorBoard callback is not of the form that rekindle saves"
        )
    for name, size in sizes.items():
        parts = name.split(os.sep)
        is_inside = not os.path.isabs(name) and not {"", ".", ".."} & set(parts)
        if not is_inside or not _NAME.fullmatch(parts[-1]) or not is_count(size):
            raise BrokenTreeError(f"{name[:200]!r} is not the name of an event file")


def put(callback: Any, state: dict[str, Any]) -> None:
    """Truncates the run's files to their saved lengths, and empties files that it began later.

    A later file counts as the run's if its process ran on this host and is dead, or if an earlier
    process with the number of this process made it. Other files stay as they are.
    """
    folder, saved = str(callback.log_dir), _saved_sizes(state)
    # Up to rekindle 0.1, a checkpoint named the files of all runs below the folder.
    names_own = "written" in state
    for name, size in _sizes(folder).items():
        if names_own and name in saved:
            is_cut = True
        elif name in saved:
            is_cut = _is_of_a_dead_process(name)
        else:
            is_later = _made_at(name) >= int(state["time"])
            is_cut = is_later and _is_of_a_dead_process(name)
        if is_cut and saved.get(name, 0) < size:
            _cut(os.path.join(folder, name), saved.get(name, 0))


def _saved_sizes(state: dict[str, Any]) -> Any:
    return state["written"] if "written" in state else state["sizes"]


def _cut(path: str, size: int) -> None:
    """Truncates our own file. Skips a file with a second name elsewhere or another owner."""
    fd, _ = fs.open_regular(path, os.O_WRONLY)
    with fs.closing(fd):
        status = os.fstat(fd)
        is_mine = not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
        if is_mine and status.st_nlink == 1:
            os.ftruncate(fd, size)


def _sizes(folder: str) -> dict[str, int]:
    """The event files in Keras' folders only: files of other runs may be further below."""
    found = {}
    for below in _FOLDERS:
        parent = os.path.join(folder, below)
        is_own = os.path.isdir(parent) and not os.path.islink(parent)
        for name in fs.names_in(parent) if is_own else ():
            path = os.path.join(parent, name)
            if _NAME.fullmatch(name) and not os.path.islink(path):
                found[os.path.join(below, name)] = os.path.getsize(path)
    return found


def _parts(name: str) -> tuple[int, str, int]:
    """When the file was made, in POSIX seconds, and by which process on which host."""
    match = _NAME.fullmatch(os.path.basename(name))
    return (int(match[1]), match[2], int(match[3])) if match else (0, "", 0)


def _made_at(name: str) -> int:
    return _parts(name)[0]


def _is_by_this_process(name: str) -> bool:
    made, host, pid = _parts(name)
    return (host, pid) == (socket.gethostname(), os.getpid()) and made >= _STARTED


def _is_of_a_dead_process(name: str) -> bool:
    made, host, pid = _parts(name)
    if host != socket.gethostname():
        return False
    if pid == os.getpid():
        return made < _STARTED
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
