"""Signals that announce the end of the process, heard while a fit() runs.

A handler may run between any two steps of the interpreter. So it notes the signal and leaves all
work to the next hook of training, where the state is whole. A fit() can end before that hook: in
`on_train_end`, or by an exception. Then the signal is sent again once the earlier handlers are
back, and does what it would have done without us.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import ctypes
import mmap
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

# The same signal often comes twice: to the process, and to its group. Only a later one is a second.
_SAME = 1.0

# Seconds between two looks whether a fit() that a signal has come to is still going on.
_GLANCE = 0.05

# How long a forked child waits to learn whether a signal was for the whole group, in seconds.
_HEARSAY = 1.0

# More than any system's `struct sigaction`, which is kept as it is and never looked into.
_SIGACTION_BYTES = 512


class SignalListener:
    """The signals that a run is asked to end by.

    Args:
        signals: Names of signals, such as "SIGTERM"; those that the system lacks are left out.
        noticed: Called in the handler, when the first one comes. It must not do any work.
        stop_now: Gives the exception that a second signal, a second or more after the first, ends
            training by wherever it is.
        is_active: Whether the fit() is still going on: one that failed may not have let go yet.
        ends_within: Seconds after a signal in which further ones change nothing once the fit() has
            ended.

    Attributes:
        received: Name of the signal that came, or ``None``.
        since: When it came, by `time.monotonic()`.
    """

    def __init__(
        self,
        signals: Sequence[str],
        noticed: Callable[[], None],
        stop_now: Callable[[], BaseException],
        is_active: Callable[[], bool],
        ends_within: float,
    ) -> None:
        self.received: str | None = None
        self.since = 0.0
        self._signals = [getattr(signal, name) for name in signals if hasattr(signal, name)]
        self._noticed = noticed
        self._stop_now = stop_now
        self.is_active = is_active
        self._ends_within = ends_within
        # Whether training ends because of the signal, and not by itself.
        self._ends = False
        # Signals that came and nobody answered yet, in their order. One that an earlier handler of
        # Python's was called for is answered by that.
        self._unanswered: list[int] = []
        self._earlier: dict[signal.Signals, tuple[Any, Any]] = {}
        self._pid = os.getpid()
        # Seen by forked children, too.
        self._heard = mmap.mmap(-1, 1) if sys.platform != "win32" else None

    def install(self) -> None:
        """Begins to listen; on another thread than the main one, the system does not allow it."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._pid = os.getpid()
        for number in self._signals:
            _restore_those_before(number)
            self._earlier[number] = (signal.getsignal(number), _system_handler(number))
            signal.signal(number, self._handle)

    def restore(self) -> None:
        """Puts the handlers back that were there before. Safe to call again.

        Signals that were not answered are then sent again.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        for number, (handler, system) in list(self._earlier.items()):
            # Somebody put a handler of their own in place meanwhile, and may put ours back.
            if signal.getsignal(number) != self._handle:
                continue
            del self._earlier[number]
            # None stands for one that Python did not install, as R's own; it does not know either
            # of one that replaced its own, as faulthandler's.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
            _put_system_handler(number, system)
        self.release_children()
        while self._unanswered:
            again = self._unanswered.pop(0)
            # Not in a forked child: it was its parent that the signal came to.
            if os.getpid() == self._pid:
                # `signal.raise_signal` releases the interpreter's lock meanwhile. A handler of R's
                # ends R in it, and that calls Python.
                os.kill(self._pid, again)

    def release_children(self) -> None:
        """From here on a child that gets a signal is meant by it: its pool may be ending it."""
        if self._heard is not None:
            self._heard[0] = 0

    def answered(self) -> None:
        """The signal was dealt with, and training goes on: the next one is a first one again."""
        self.received, self._ends = None, False
        self._unanswered.clear()
        self.release_children()

    def ends(self) -> None:
        """Training ends because of the signal: that is its answer."""
        self._ends = True
        self._unanswered.clear()
        # A fit() around this one heard the same signal, and ends by the same exception.
        for handler, _ in self._earlier.values():
            outer = getattr(handler, "__self__", None)
            if isinstance(outer, SignalListener):
                outer.ends()

    @property
    def is_unanswered(self) -> bool:
        """Whether a signal came that would be lost if the process went on now."""
        return bool(self._unanswered)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:
            self._handle_in_child(number, frame)
            return
        if not self.is_active():
            self._handle_when_over(number, frame)
            return
        if self._heard is not None:
            self._heard[0] = 1
        if self.received is None:
            self.received, self.since = signal.Signals(number).name, time.monotonic()
            self._noticed()
        elif time.monotonic() - self.since > _SAME:
            self.ends()
            raise self._stop_now()
        if not self._chain(number, frame) and not self._ends:
            self._not_answered_yet(number)

    def _not_answered_yet(self, number: int) -> None:
        is_watched = bool(self._unanswered)
        if number not in self._unanswered:
            self._unanswered.append(number)
        if not is_watched:
            # Not `threading.Thread`: starting one takes locks, which the code below this handler
            # may hold. Without a thread, the signal is sent again later, when the handlers go.
            with contextlib.suppress(RuntimeError):
                _thread.start_new_thread(self._watch, ())

    def _watch(self) -> None:
        """Sends the signal again as soon as the fit() has ended without answering it.

        An exception that ended it may be kept, and with it its frames, its list of callbacks and
        our handlers.
        """
        while self._unanswered:
            # The frames that this looks through run meanwhile, and may change under it.
            with contextlib.suppress(RuntimeError):
                if not self.is_active():
                    break
            time.sleep(_GLANCE)
        with contextlib.suppress(IndexError):
            os.kill(os.getpid(), self._unanswered.pop(0))

    def _handle_when_over(self, number: int, frame: FrameType | None) -> None:
        """The fit() has ended by an exception, and something still keeps its frames."""
        if self._ends and time.monotonic() - self.since < self._ends_within:
            # That was the end that was asked for: the process is to end by it, with its exit code.
            return
        if signal.getsignal(number) != self._handle:
            self._chain(number, frame)
            return
        self.restore()
        os.kill(os.getpid(), number)

    def _handle_in_child(self, number: int, frame: FrameType | None) -> None:
        """A worker that was forked during training: what the whole group got is not its business.

        It dies with the run, whose pipes it reads from. One that is meant alone, as by the pool
        that it belongs to, does as it would have done.
        """
        waited = 0.0
        while waited < _HEARSAY:
            if self._heard is not None and self._heard[0]:
                return
            time.sleep(0.05)
            waited += 0.05
        if self._chain(number, frame):
            return
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _chain(self, number: int, frame: FrameType | None) -> bool:
        """Calls the handler that was there before, if it is one of Python's: whether it was."""
        handler = self._earlier.get(signal.Signals(number), (None, None))[0]
        if not callable(handler):
            return False
        handler(number, frame)
        return True


def restore_ended() -> None:
    """Puts back what fits that ended by an exception left behind; for a host language.

    There, a handler of Python's is not even called before Python runs again.
    """
    for number in signal.Signals:
        _restore_those_before(number)


@atexit.register
def send_again() -> None:
    """Sends what a fit() did not answer that ended by an exception: the process is about to end.

    A host language calls this itself: Python's end may not be a part of its own.
    """
    for number in signal.Signals:
        preemption = getattr(signal.getsignal(number), "__self__", None)
        if isinstance(preemption, SignalListener) and preemption.is_unanswered:
            preemption.restore()


def _restore_those_before(number: int) -> None:
    """Puts back what fits left behind that ended by an exception, whose frames somebody keeps."""
    while True:
        earlier = getattr(signal.getsignal(number), "__self__", None)
        if not isinstance(earlier, SignalListener) or earlier.is_active():
            return
        earlier.restore()
        if getattr(signal.getsignal(number), "__self__", None) is earlier:
            signal.signal(number, signal.SIG_DFL)


def _system_handler(number: int) -> Any:
    """What the system would do at the signal: in R, that may be a handler of R's."""
    if sys.platform == "win32":
        return None
    kept = ctypes.create_string_buffer(_SIGACTION_BYTES)
    found = ctypes.CDLL(None).sigaction(number, None, kept)
    return kept if found == 0 else None


def _put_system_handler(number: int, kept: Any) -> None:
    if kept is not None:
        ctypes.CDLL(None).sigaction(number, kept, None)
