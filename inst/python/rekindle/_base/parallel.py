"""Shares work between several threads."""

from __future__ import annotations

import collections
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


def share_out(
    work: Callable[[Iterator[_T]], None],
    items: Iterable[_T],
    threads: int,
    when: Callable[[], bool] | None = None,
) -> None:
    """Calls `work` on that many threads, each with a part of the items.

    The calling thread is one of them. Each thread takes the next item when it is ready for one.
    After an error, no thread gets another item.

    Args:
        work: Called on each thread with an iterator of its items.
        items: The items.
        threads: How many threads.
        when: Called after each item of the calling thread. The other threads start when it returns
            True, and take the last items first. ``None``: they start at once.

    Raises:
        BaseException: The first error that `work` raised, after every thread has ended.
    """
    pending = collections.deque(items)
    lock = threading.Lock()
    errors: list[BaseException] = []

    def part(take: Callable[[], _T]) -> Iterator[_T]:
        while True:
            with lock:
                if errors or not pending:
                    return
                item = take()
            yield item

    def run(mine: Iterator[_T]) -> None:
        try:
            work(mine)
        except BaseException as error:  # noqa: BLE001  (the calling thread raises it again)
            errors.append(error)

    take_next = pending.popleft if when is None else pending.pop
    helpers = [
        threading.Thread(target=lambda: run(part(take_next)), name="rekindle-helper")
        for _ in range(max(0, threads - 1))
    ]
    started: list[threading.Thread] = []

    def own() -> Iterator[_T]:
        for item in part(pending.popleft):
            yield item
            if when is not None and not started and helpers and when():
                _start(helpers, started)

    try:
        if when is None:
            _start(helpers, started)
    except BaseException as error:  # noqa: BLE001  (an interrupt: the started threads end first)
        errors.append(error)
    run(own())
    # Join the threads even after interrupts: the caller uses the data of `work` again afterwards.
    while any(helper.is_alive() for helper in started):
        try:
            for helper in started:
                if helper.is_alive():
                    helper.join()
        except BaseException as error:  # noqa: BLE001  (raised after the threads have ended)
            errors.append(error)
    if errors:
        raise errors[0]


def _start(helpers: list[threading.Thread], started: list[threading.Thread]) -> None:
    for helper in helpers:
        try:
            helper.start()
            started.append(helper)
        except RuntimeError:
            # The system refuses more threads. The threads that have started do all the work.
            return
