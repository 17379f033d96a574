"""Receives signals that announce the end of the process, while a fit() runs.

A handler may run between any two steps of the interpreter. So the handler only notes the signal. It
leaves all work to the next hook of training, where the state is consistent. A fit() can end before
that hook: in `on_train_end`, or by an exception. rekindle then restores the earlier handlers and
sends the signal again, and the signal does what it would have done without rekindle.
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

# The same signal often comes twice: to the process, and to its group. A signal counts as a second
# one only if it comes more than this many seconds after the first.
_SAME = 1.0

# Seconds between two checks whether a fit() that received a signal is still running.
_GLANCE = 0.05

# How long a forked child waits to learn whether a signal was for the whole group, in seconds.
_HEARSAY = 1.0

# More than the size of `struct sigaction` on any system. rekindle keeps its bytes and never reads
# them.
_SIGACTION_BYTES = 512


class SignalListener:
    """Listens for the signals that ask a run to end.

    Args:
        signals: Names of signals, such as "SIGTERM". The listener ignores signals that the system
            lacks.
        noticed: Called in the handler, when the first signal comes. It must not do any work.
        stop_now: Returns an exception. A second signal, a second or more after the first, ends
            training by this exception, wherever training is.
        is_active: Whether the fit() is still running: a failed fit() may still have its handlers
            installed.
        ends_within: Seconds after a signal in which further signals change nothing, once the fit()
            has ended.

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
        # Signals that came and are not answered yet, in their order. If an earlier Python handler
        # was called for a signal, that handler has answered it.
        self._unanswered: list[int] = []
        self._earlier: dict[signal.Signals, tuple[Any, Any]] = {}
        self._pid = os.getpid()
        # Forked children share this memory.
        self._heard = mmap.mmap(-1, 1) if sys.platform != "win32" else None

    def install(self) -> None:
        """Begins to listen, but only on the main thread: the system allows no other."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._pid = os.getpid()
        for number in self._signals:
            _restore_those_before(number)
            self._earlier[number] = (signal.getsignal(number), _system_handler(number))
            signal.signal(number, self._handle)

    def restore(self) -> None:
        """Restores the earlier handlers. Safe to call again.

        Then sends the unanswered signals again.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        for number, (handler, system) in list(self._earlier.items()):
            # Other code has installed its own handler meanwhile, and may restore ours later.
            if signal.getsignal(number) != self._handle:
                continue
            del self._earlier[number]
            # None stands for a handler that Python did not install, such as R's own. Python also
            # does not know of a handler that replaced Python's own, such as faulthandler's.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
            _put_system_handler(number, system)
        self.release_children()
        while self._unanswered:
            again = self._unanswered.pop(0)
            # Not in a forked child: the signal came to its parent.
            if os.getpid() == self._pid:
                # Not `signal.raise_signal`, which releases the interpreter's lock during the call.
                # A handler of R ends R within that call, and ending R calls Python.
                os.kill(self._pid, again)

    def release_children(self) -> None:
        """From here on, a signal to a child is for that child: its pool may be ending it."""
        if self._heard is not None:
            self._heard[0] = 0

    def answered(self) -> None:
        """The signal is answered, and training continues. The next signal is a first one again."""
        self.received, self._ends = None, False
        self._unanswered.clear()
        self.release_children()

    def ends(self) -> None:
        """Training ends because of the signal. This answers the signal."""
        self._ends = True
        self._unanswered.clear()
        # An outer fit() received the same signal, and ends by the same exception.
        for handler, _ in self._earlier.values():
            outer = getattr(handler, "__self__", None)
            if isinstance(outer, SignalListener):
                outer.ends()

    @property
    def is_unanswered(self) -> bool:
        """Whether a signal came that would be lost if the process continued now."""
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
            # may hold. If no thread can start, the signal is sent again later, when the earlier
            # handlers are restored.
            with contextlib.suppress(RuntimeError):
                _thread.start_new_thread(self._watch, ())

    def _watch(self) -> None:
        """Sends the signal again as soon as the fit() has ended without answering it.

        Other code may keep the exception that ended the fit(), and with it the frames of the fit(),
        its list of callbacks and our handlers.
        """
        while self._unanswered:
            # `is_active` looks through frames that run meanwhile and may change.
            with contextlib.suppress(RuntimeError):
                if not self.is_active():
                    break
            time.sleep(_GLANCE)
        with contextlib.suppress(IndexError):
            os.kill(os.getpid(), self._unanswered.pop(0))

    def _handle_when_over(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal after an exception ended the fit(), while its frames are still kept."""
        if self._ends and time.monotonic() - self.since < self._ends_within:
            # The first signal asked for this end. The process must end by it, with its exit code.
            return
        if signal.getsignal(number) != self._handle:
            self._chain(number, frame)
            return
        self.restore()
        os.kill(os.getpid(), number)

    def _handle_in_child(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal in a worker process that was forked during training.

        The worker ignores a signal that the whole group got. It ends with the run, because it reads
        from the run's pipes. A signal for the worker alone, such as one from its own pool, does
        what it would have done without rekindle.
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
        """Calls the earlier handler if it is a Python handler. Returns whether it is."""
        handler = self._earlier.get(signal.Signals(number), (None, None))[0]
        if not callable(handler):
            return False
        handler(number, frame)
        return True


def restore_ended() -> None:
    """Removes the handlers of each fit() that ended by an exception. For a host language.

    There, a Python handler is not even called before Python code runs again.
    """
    for number in signal.Signals:
        _restore_those_before(number)


@atexit.register
def send_again() -> None:
    """Sends the signals that a fit() did not answer because an exception ended it.

    Called when the process is about to end. A host language calls this itself: when the host ends,
    Python's own end may not run.
    """
    for number in signal.Signals:
        preemption = getattr(signal.getsignal(number), "__self__", None)
        if isinstance(preemption, SignalListener) and preemption.is_unanswered:
            preemption.restore()


def _restore_those_before(number: int) -> None:
    """Removes handlers of each fit() that ended by an exception while its frames are kept."""
    while True:
        earlier = getattr(signal.getsignal(number), "__self__", None)
        if not isinstance(earlier, SignalListener) or earlier.is_active():
            return
        earlier.restore()
        if getattr(signal.getsignal(number), "__self__", None) is earlier:
            signal.signal(number, signal.SIG_DFL)


def _system_handler(number: int) -> Any:
    """The system's action for the signal: in R, it may be a handler of R."""
    if sys.platform == "win32":
        return None
    kept = ctypes.create_string_buffer(_SIGACTION_BYTES)
    found = ctypes.CDLL(None).sigaction(number, None, kept)
    return kept if found == 0 else None


def _put_system_handler(number: int, kept: Any) -> None:
    if kept is not None:
        ctypes.CDLL(None).sigaction(number, kept, None)
