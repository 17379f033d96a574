"""Interrupts between Python and the R session that Python runs in, through reticulate.

R takes a pending interrupt wherever its code checks for one, and then jumps. If this happens in the
R code by which reticulate calls an R function for Python, outside of reticulate's handlers, R jumps
over the frames of Python. The Python interpreter then crashes at one of the next calls. Measured
with a save at each batch, one Ctrl-C in some tens crashed it. If R is kept from taking the
interrupt, the interrupt stays pending, and Python raises KeyboardInterrupt once it runs again.
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

# Seconds between two checks whether an interrupt that Python ignored is still pending, and the
# number of these checks.
_GLANCE = 0.05
_LOOKS = 20


class Uninterrupted:
    """Wraps an R function, so that R takes no interrupt during a call of the function.

    Args:
        function: The function, as reticulate passes it to Python.
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
                # Python may have been told already, and found interrupts suspended. Tell it again.
                _thread.interrupt_main()


def keep_interrupts() -> None:
    """Keeps interrupts from getting lost, from now until the session ends.

    reticulate before 1.37 calls an R function to check whether R has a pending interrupt. In this
    function, R may take the interrupt itself. And Python may raise the interrupt in a place that no
    exception can leave: see `_Ignored`.
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
    """Replaces `sys.unraisablehook`: makes an interrupt that Python would ignore pending again.

    Python raises KeyboardInterrupt in the next Python code that runs. After an R function, this is
    often a callback of the garbage collector (JAX has one) or a destructor. Python only prints an
    exception in these, and training would go on.

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
        # Do not tell Python here: Python would raise the interrupt at once, in this hook.
        with contextlib.suppress(RuntimeError):
            _thread.start_new_thread(_tell_python, (self._flags,))
        # Set this last: until then, Python finds no pending interrupt, even if it looks for one.
        self._flags.pending.value = 1


def _tell_python(flags: _Flags) -> None:
    for _ in range(_LOOKS):
        time.sleep(_GLANCE)
        if flags.pending.value:
            _thread.interrupt_main()


@dataclass(frozen=True)
class _Flags:
    """R's own flags for interrupts.

    Attributes:
        suspended: True if R takes no interrupt now. In R this is an int, or maybe a bool in newer
            versions: one byte is enough to make it true.
        pending: True if there is an interrupt that no code has taken yet.
    """

    suspended: ctypes.c_ubyte
    pending: ctypes.c_int

    def is_pending(self, reset: bool) -> bool:
        """Whether Python is to raise an interrupt. With `reset`, none is pending from now on."""
        if self.suspended.value:
            return False
        if reset:
            self.pending.value = 0
        return self.pending.value != 0


@functools.cache
def _flags() -> _Flags | None:
    """R's flags; ``None`` if R is not there, or if its flags cannot be read."""
    # On Windows, R has other flags, and does not read the first of these.
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
