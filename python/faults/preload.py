"""Builds the preload library, starts programs under it, and arms it from inside."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).with_name("interpose.c")

CREATE, OPEN, WRITE, SYNC, RENAME, UNLINK, MKDIR = 1, 2, 4, 8, 16, 32, 64
TRUNCATE, LINK, CLOSE, READ, LOCK, LIST = 128, 256, 512, 1024, 2048, 4096

# The calls that change the folder. A crash at any other call leaves one of the same states.
CHANGES = CREATE | WRITE | RENAME | UNLINK | MKDIR | TRUNCATE | LINK
CHANGES_AND_SYNCS = CHANGES | SYNC
EVERYTHING = (1 << 13) - 1

KILL_BEFORE, KILL_HALF, KILL_AFTER, FAIL, SHORT = 1, 2, 3, 4, 5

FOREVER = 2**60


def compiler() -> str | None:
    return next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)


def library() -> Path:
    """The path of the library. Builds it if its source has changed."""
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    path = SOURCE.parents[2] / "build" / "faults" / f"{digest}.so"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        command = [compiler(), "-O1", "-shared", "-fPIC", "-o", partial, SOURCE]
        subprocess.run([*command, "-ldl", "-lpthread"], check=True)
        partial.rename(path)
    return path


def environment() -> dict[str, str]:
    return {**os.environ, "LD_PRELOAD": str(library())}


def restart_under_it() -> None:
    """Starts this program again with the library loaded; returns only in a process that has it."""
    if os.environ.get("LD_PRELOAD") != str(library()):
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.argv], environment())


class Faults:
    """The library that this process runs under.

    Children forked from here arm it for themselves.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        self._library.fault_count.restype = ctypes.c_long
        self._library.fault_arm.argtypes = [
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_long,
            ctypes.c_long,
            ctypes.c_int,
        ]

    def watch(self, folder: str, log_fd: int = -1) -> None:
        """Watches calls under the folder from now on, and records them in `log_fd` if given."""
        self._library.fault_begin(os.fsencode(folder), log_fd)

    def arm(self, action: int, kinds: int, first: int, last: int | None = None, error: int = 0):
        """Does `action` at the calls of these kinds from `first` to `last`, counted from 1."""
        self._library.fault_arm(action, kinds, first, first if last is None else last, error)

    def count_from_here(self, kinds: int) -> None:
        self.arm(FAIL, kinds, FOREVER)

    def disarm(self) -> int:
        """Lets every call pass again. Returns the number of calls since :meth:`arm`."""
        count = self._library.fault_count()
        self.arm(0, 0, 0)
        return count

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Lets calls in the block pass, and does not count them."""
        self._library.fault_pause(1)
        try:
            yield
        finally:
            self._library.fault_pause(0)

    def mark(self, text: str) -> None:
        self._library.fault_mark(text.encode())

    def end(self) -> None:
        self._library.fault_end()
