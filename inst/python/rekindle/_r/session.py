"""The R session that Python runs in, by reticulate: interrupts between the two.

R takes a pending interrupt wherever its code looks for one, and jumps. In the R code by which
reticulate calls an R function for Python, outside of its handlers, the jump is over the frames of
Python, whose interpreter crashes at one of the next calls: one Ctrl-C in some tens, measured with
saves at each batch. While R is kept from taking it, it stays pending, and Python raises
KeyboardInterrupt as soon as it is back.
"""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import functools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Seconds between two looks whether an interrupt that Python ignored is still pending, and how many.
_GLANCE = 0.05
_LOOKS = 20


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
    """Keeps interrupts from getting lost, once and for the rest of the session.

    reticulate before 1.37 looks by an R function whether R has one pending, in which R may take the
    interrupt itself. And Python may raise it where no exception goes any further: see `_Ignored`.
    """
    flags = _flags()
    if flags is None:
        return
    signals: Any = sys.modules.get("rpytools.signals")
    if getattr(signals, "_callback", None) is not None:
        signals._callback = flags.is_pending
    if not isinstance(sys.unraisablehook, _Ignored):
        sys.unraisablehook = _Ignored(flags, sys.unraisablehook)


class _Ignored:
    """In place of `sys.unraisablehook`: an interrupt that Python would ignore is pending again.

    Python raises KeyboardInterrupt in whatever Python code comes next. After an R function that is
    often a callback of the garbage collector, as JAX has one; or it is a destructor. An exception
    in these is only printed, and training would go on.

    Args:
        flags: R's flags.
        earlier: The hook for all other exceptions.
    """

    def __init__(self, flags: _Flags, earlier: Callable[[Any], Any]) -> None:
        self._flags = flags
        self._earlier = earlier

    def __call__(self, unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._earlier(unraisable)
            return
        # Not told to Python here, which would raise it at once, in this hook.
        with contextlib.suppress(RuntimeError):
            _thread.start_new_thread(_tell_python, (self._flags,))
        # Last: until then Python finds none pending, whatever it is told.
        self._flags.pending.value = 1


def _tell_python(flags: _Flags) -> None:
    for _ in range(_LOOKS):
        time.sleep(_GLANCE)
        if flags.pending.value:
            _thread.interrupt_main()


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
