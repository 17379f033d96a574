"""Linux calls that Python does not wrap."""

from __future__ import annotations

import ctypes
import sys
from typing import Any


def call(name: str, argtypes: tuple[Any, ...]) -> Any:
    """A function of the C library on Linux; ``None`` if the system does not have it.

    Args:
        name: The function. It returns an int.
        argtypes: The types of its arguments, from :mod:`ctypes`.
    """
    if sys.platform != "linux":
        return None
    try:
        found = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
    found.argtypes, found.restype = argtypes, ctypes.c_int
    return found
