"""Shares work between several threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


# More readers than this gain nothing on one file.
_MOST_READERS = 4

# One thread reads fewer bytes than this before a second thread has started.
_READERS_SHARE = 16 << 20


def readers(size: int) -> int:
    """How many threads to use to read `size` bytes."""
    return max(1, min(_MOST_READERS, processors(), size // _READERS_SHARE))


def processors() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1


def share_out(work: Callable[[Iterator[_T]], None], items: Iterable[_T], threads: int) -> None:
    """Calls `work` on that many threads, each with a part of the items.

    The calling thread is one of them. Each thread takes the next item when it is ready for one.
    After an error, no thread gets another item.

    Raises:
        BaseException: The first error that `work` raised, after every thread has ended.
    """
    pending = iter(items)
    lock = threading.Lock()
    errors: list[BaseException] = []

    def part() -> Iterator[_T]:
        while True:
            with lock:
                if errors:
                    return
                try:
                    item = next(pending)
                except StopIteration:
                    return
            yield item

    def run() -> None:
        try:
            work(part())
        except BaseException as error:  # noqa: BLE001  (the calling thread raises it again)
            errors.append(error)

    helpers = [
        threading.Thread(target=run, name="rekindle-helper") for _ in range(max(0, threads - 1))
    ]
    try:
        _start(helpers)
    except BaseException as error:  # noqa: BLE001  (an interrupt: the started threads end first)
        errors.append(error)
    run()
    # Join the threads even after interrupts: the caller uses the data of `work` again afterwards.
    while any(helper.is_alive() for helper in helpers):
        try:
            for helper in helpers:
                if helper.is_alive():
                    helper.join()
        except BaseException as error:  # noqa: BLE001  (raised after the threads have ended)
            errors.append(error)
    if errors:
        raise errors[0]


def _start(helpers: list[threading.Thread]) -> None:
    for helper in helpers:
        try:
            helper.start()
        except RuntimeError:
            # The system refuses more threads. The threads that have started do all the work.
            return
