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
from dataclasses import dataclass
from typing import Any


class Uninterrupted:
    """An R function, during which R takes no interrupt.

    Args:
        function: The function, as reticulate gives it to Python.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        flags = _flags()
        if flags is None:
            return self._function(*args, **kwargs)
        before = flags.suspended.value
        try:
            flags.suspended.value = 1
            return self._function(*args, **kwargs)
        finally:
            flags.suspended.value = before
            if flags.pending.value and not before:
                # Python may have been told already, and found it suspended.
                _thread.interrupt_main()


def keep_interrupts() -> None:
    """Keeps interrupts from getting lost while Python looks whether R has one pending.

    reticulate before 1.37 looks by an R function, in which R may take the interrupt itself.
    """
    signals: Any = sys.modules.get("rpytools.signals")
    flags = _flags()
    if flags is not None and getattr(signals, "_callback", None) is not None:
        signals._callback = flags.is_pending


@dataclass(frozen=True)
class _Flags:
    """R's own flags, by which it knows of interrupts.

    Attributes:
        suspended: That it takes none now. An int, or in newer versions of R maybe a bool: one byte
            of it is enough to make it true.
        pending: That there is one, which nobody has taken yet.
    """

    suspended: ctypes.c_ubyte
    pending: ctypes.c_int

    def is_pending(self, reset: bool) -> bool:
        """Whether an interrupt is Python's to raise; with `reset`, none is pending from now on."""
        if self.suspended.value:
            return False
        if reset:
            self.pending.value = 0
        return self.pending.value != 0


@functools.cache
def _flags() -> _Flags | None:
    """R's flags, or ``None`` where R cannot be looked at, or is not there."""
    # There, R has other flags, and does not ask the first of these.
    if sys.platform == "win32":
        return None
    try:
        process = ctypes.CDLL(None)
        return _Flags(
            ctypes.c_ubyte.in_dll(process, "R_interrupts_suspended"),
            ctypes.c_int.in_dll(process, "R_interrupts_pending"),
        )
    except (OSError, ValueError):
        return None
