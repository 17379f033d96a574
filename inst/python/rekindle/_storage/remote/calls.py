"""Calls of the library obstore, which must not hang after a fork, nor hold back Ctrl-C."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_T = TypeVar("_T")

# The process that made the first call. The library's threads do not exist in a forked child, where
# each call would wait for them for ever.
_first_pid = 0


def is_forked() -> bool:
    """Whether a process before a fork used the library."""
    return _first_pid not in (0, os.getpid())


def call(work: Callable[[], _T]) -> _T:
    """The result of a call. In the main thread, an interrupt ends the wait, but not the request.

    Raises:
        OSError: A process before a fork used the library.
    """
    global _first_pid
    _first_pid = _first_pid or os.getpid()
    if is_forked():
        raise OSError(
            errno.ENOTSUP,
            "this process was forked from one that used an object store, and cannot use any. Start"
            " it in another way, such as multiprocessing's 'spawn'",
        )
    if threading.current_thread() is not threading.main_thread():
        return work()
    result: Future[_T] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001  (the calling thread raises it again)
            result.set_exception(error)

    try:
        threading.Thread(target=run, name="rekindle-request", daemon=True).start()
    except RuntimeError:
        # The interpreter ends, or the system gives no thread.
        run()
    return result.result()
