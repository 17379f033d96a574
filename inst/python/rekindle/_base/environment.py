"""Environment variables, also those that a host language has set since Python began."""

from __future__ import annotations

import ctypes
import os


def variable(name: str) -> str:
    """The value, or an empty text.

    Python copies the environment when it starts. R sets variables later, in the process itself.
    """
    found = os.environ.get(name)
    if found is not None or os.name != "posix":
        return found or ""
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    value: bytes | None = getenv(name.encode())
    return os.fsdecode(value) if value else ""
