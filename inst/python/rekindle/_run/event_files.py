"""TensorBoard's event files, cut back to where they stood at a save.

Each process appends to a file of its own, whose name tells when and by which process it was made.
Records that came after the save belong to steps that are run again, and would be there twice.
"""

from __future__ import annotations

import os
import re
import socket
import time
from typing import Any

from rekindle._tree import BrokenTreeError

# events.out.tfevents.<POSIX seconds>.<host>.<pid>.<more>
_NAME = re.compile(r"events\.out\.tfevents\.(\d{1,12})\.(.+)\.(\d{1,10})\.\d+(?:\.v2)?")


def take(callback: Any) -> dict[str, Any]:
    """How long each event file under the callback's folder is, and since when that is true."""
    for writer in getattr(callback, "_writers", {}).values():
        writer.flush()
    return {"time": time.time(), "sizes": _sizes(str(callback.log_dir))}


def put(callback: Any, state: Any) -> None:
    """Cuts the files back to those lengths, and to nothing those that a dead process began later.

    Files of processes that live, of other hosts, and those made before the save, are left as they
    are.
    """
    if not isinstance(state, dict) or not isinstance(state.get("sizes"), dict):
        raise BrokenTreeError("the state of a TensorBoard callback is not one that was taken")
    folder, saved = str(callback.log_dir), state["sizes"]
    for name, size in _sizes(folder).items():
        if not _is_of_a_dead_process(os.path.basename(name), float(state["time"]), name in saved):
            continue
        keep = int(saved.get(name, 0))
        if 0 <= keep < size:
            os.truncate(os.path.join(folder, name), keep)


def _sizes(folder: str) -> dict[str, int]:
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            if _NAME.fullmatch(name) and not os.path.islink(path):
                found[os.path.relpath(path, folder)] = os.path.getsize(path)
    return found


def _is_of_a_dead_process(name: str, saved_at: float, was_saved: bool) -> bool:
    match = _NAME.fullmatch(name)
    if match is None or match[2] != socket.gethostname() or int(match[3]) == os.getpid():
        return False
    if not was_saved and int(match[1]) < int(saved_at):
        return False
    try:
        os.kill(int(match[3]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
