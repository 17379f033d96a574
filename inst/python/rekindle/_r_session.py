"""The R session that Python runs in, by reticulate: interrupts between the two.

R takes a pending interrupt wherever its code looks for one, and jumps. In the R code by which
reticulate calls an R function for Python, outside of its handlers, the jump is over the frames of
Python, whose interpreter crashes at one of the next calls: one Ctrl-C in some tens, measured with
saves at each batch. While R is kept from taking it, it stays pending, and Python raises
KeyboardInterrupt as soon as it is back.
"""

from __future__ import annotations

import _thread
import ctypes
import functools
import sys
from collections.abc import Callable
from typing import Any


class Uninterrupted:
    """An R function, during which R takes no interrupt.

    Args:
        function: The function, as reticulate gives it to Python.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        suspended, pending = _suspended(), _pending()
        if suspended is None or pending is None:
            return self._function(*args, **kwargs)
        before = suspended.value
        try:
            suspended.value = 1
            return self._function(*args, **kwargs)
        finally:
            suspended.value = before
            if pending.value and not before:
                # Python may have been told already, and found it suspended.
                _thread.interrupt_main()


def keep_interrupts() -> None:
    """Keeps interrupts from getting lost while Python looks whether R has one pending.

    reticulate before 1.37 looks by an R function, in which R may take the interrupt itself.
    """
    signals: Any = sys.modules.get("rpytools.signals")
    if getattr(signals, "_callback", None) is not None and None not in (_suspended(), _pending()):
        signals._callback = _is_pending


def _is_pending(reset: bool) -> bool:
    """Whether an interrupt is Python's to raise; with `reset`, none is pending from now on."""
    suspended, pending = _suspended(), _pending()
    if suspended is None or pending is None or suspended.value:
        return False
    if reset:
        pending.value = 0
    return pending.value != 0


def _suspended() -> ctypes.c_ubyte | None:
    """R's flag for that it takes no interrupts now, or ``None`` where there is none.

    An int, or in newer versions of R maybe a bool: one byte of it is enough to make it true.
    """
    flag: ctypes.c_ubyte | None = _flag_of_r("R_interrupts_suspended", ctypes.c_ubyte)
    return flag


def _pending() -> ctypes.c_int | None:
    """R's flag for an interrupt that nobody has taken yet, or ``None`` where there is none."""
    flag: ctypes.c_int | None = _flag_of_r("R_interrupts_pending", ctypes.c_int)
    return flag


@functools.cache
def _flag_of_r(name: str, kind: Any) -> Any:
    # There, R has other flags, and does not ask the first of these.
    if sys.platform == "win32":
        return None
    try:
        return kind.in_dll(ctypes.CDLL(None), name)
    except (OSError, ValueError):
        return None
