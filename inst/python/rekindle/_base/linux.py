"""Calls of Linux that Python has no word for."""

from __future__ import annotations

import ctypes
import sys
from typing import Any


def call(name: str, argtypes: tuple[Any, ...]) -> Any:
    """A function of Linux' C library that Python has no word for; ``None`` where it is not there.

    Args:
        name: The function. It answers an int.
        argtypes: The types of its arguments, of :mod:`ctypes`.
    """
    if sys.platform != "linux":
        return None
    try:
        found = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
    found.argtypes, found.restype = argtypes, ctypes.c_int
    return found
