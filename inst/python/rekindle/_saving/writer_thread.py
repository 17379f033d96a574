"""Work beside the training thread: one piece at a time, on a thread of its own.

The thread lives for one piece of work. The interpreter waits for such threads by itself when it
ends, so nothing else must be stopped then. And nothing runs in a forked child.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")

# Called from time to time. Returns whether to end.
_Stop = Callable[[], bool]


class WriterThread(Generic[_T]):
    """Does one piece of work at a time.

    Attributes:
        waited: Seconds that callers have waited for work that was not done yet.
        took: Seconds that the last piece of work took; 0 before the first.
    """

    def __init__(self) -> None:
        self.waited = 0.0
        self.took = 0.0
        # The thread that was started last. It may have done its work already, and run `then`.
        self._thread: threading.Thread | None = None
        self._done = self._newest = threading.Event()
        self._pid = 0
        self._outcome: tuple[_T | None, BaseException | None] | None = None

    def start(self, work: Callable[[], _T], then: Callable[[_Stop], None] | None = None) -> None:
        """Begins a piece of work. The caller has taken the previous result by :meth:`outcome`.

        Args:
            work: The work.
            then: Called after the work, unless the work failed. :meth:`outcome` does not wait for
                this call. The call must end when its argument returns True: other work has begun,
                :meth:`end` was called, or the interpreter ends.
        """
        done = self._newest = threading.Event()
        begun = threading.Lock()
        # Not a daemon: the interpreter waits for this thread before it ends.
        thread = threading.Thread(
            target=self._run,
            args=(work, then, done, begun),
            name="rekindle-writer",
            daemon=False,
        )
        try:
            self._pid, self._done, self._thread = os.getpid(), done, thread
            thread.start()
        except BaseException as error:
            # At an interrupt, the thread may run already, or be about to. The side that takes this
            # lock first decides: if the thread has it, the thread does the work.
            if not begun.acquire(blocking=False):
                raise
            self._thread = None
            if not isinstance(error, RuntimeError):
                raise
            # The system gives no thread, for example under a limit on processes. Do the work here.
            self.do(work)

    def _run(
        self,
        work: Callable[[], _T],
        then: Callable[[_Stop], None] | None,
        done: threading.Event,
        begun: threading.Lock,
    ) -> None:
        if not begun.acquire(blocking=False):
            return
        try:
            succeeded = self.do(work)
        finally:
            done.set()
        if then is not None and succeeded:
            main = threading.main_thread()
            then(lambda: self._newest is not done or not main.is_alive())

    def do(self, work: Callable[[], _T]) -> bool:
        """Does a piece of work on this thread. Returns whether it ended without an error."""
        began = time.monotonic()
        try:
            outcome = (work(), None)
        # Any error belongs to the caller of outcome().
        except BaseException as error:  # noqa: BLE001
            self._outcome = (None, error)
            return False
        else:
            self._outcome = outcome
            return True
        finally:
            self.took = time.monotonic() - began

    def end(self) -> None:
        """Ends the call of `then`, and returns when its thread has ended."""
        self._newest = threading.Event()
        thread = self._thread
        # If the work itself still runs, do not wait: its thread will end right after the work.
        mine = self._pid == os.getpid() and thread is not threading.current_thread()
        if thread is not None and mine and self._done.is_set():
            thread.join()

    @property
    def has_failed(self) -> bool:
        """Whether the work has ended by an error that :meth:`outcome` has not returned yet."""
        outcome = self._outcome
        return not self.is_busy and outcome is not None and outcome[1] is not None

    @property
    def is_busy(self) -> bool:
        """Whether a piece of work is under way."""
        return self._thread is not None and self._pid == os.getpid() and not self._done.is_set()

    def outcome(self, *, wait: bool) -> tuple[_T | None, BaseException | None] | None:
        """The result or the error of the work, only once; ``None`` if there is nothing new.

        Args:
            wait: Whether to wait for work that is under way, or to return ``None`` then.
        """
        thread = self._thread
        if thread is not None and self._pid == os.getpid():
            if not self._done.is_set():
                if not wait or thread is threading.current_thread():
                    return None
                began = time.monotonic()
                self._done.wait()
                self.waited += time.monotonic() - began
        elif thread is not None:
            # A forked child has this object, but not the thread.
            self._thread = self._outcome = None
        outcome, self._outcome = self._outcome, None
        return outcome
