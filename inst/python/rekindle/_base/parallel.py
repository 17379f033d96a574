"""Shares work between several threads."""

from __future__ import annotations

import collections
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

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


class _Shared(Generic[_T]):
    """Items that threads take one after the other; after an error, no thread gets another."""

    def __init__(self, work: Callable[[Iterator[_T]], None]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self.errors: list[BaseException] = []

    def part(self, take: Callable[[], _T]) -> Iterator[_T]:
        """The items of one thread; `take` gives one that is left."""
        while True:
            with self._lock:
                if self.errors:
                    return
                try:
                    item = take()
                except (StopIteration, IndexError):
                    return
            yield item

    def run(self, part: Iterator[_T]) -> None:
        """Does the work of one thread."""
        try:
            self._work(part)
        except BaseException as error:  # noqa: BLE001  (the calling thread raises it again)
            self.errors.append(error)


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
        items: The items; with `when`, a collection.
        threads: How many threads.
        when: Called after each item of the calling thread. The other threads start when it returns
            True, and take the last items first. ``None``: they start at once.

    Raises:
        BaseException: The first error that `work` raised, after every thread has ended.
    """
    shared = _Shared(work)
    take_next = take_last = iter(items).__next__
    if when is not None:
        known = collections.deque(items)
        take_next, take_last = known.popleft, known.pop
    waiting = [
        threading.Thread(target=lambda: shared.run(shared.part(take_last)), name="rekindle-helper")
        for _ in range(max(0, threads - 1))
    ]
    started: list[threading.Thread] = []

    def own() -> Iterator[_T]:
        for item in shared.part(take_next):
            yield item
            if when is not None and waiting and when():
                _start(waiting, started)

    try:
        if when is None:
            _start(waiting, started)
    except BaseException as error:  # noqa: BLE001  (an interrupt: the started threads end first)
        shared.errors.append(error)
    shared.run(own())
    _join(started, shared.errors)
    if shared.errors:
        raise shared.errors[0]


def _start(waiting: list[threading.Thread], started: list[threading.Thread]) -> None:
    while waiting:
        # Before it starts: an interrupt right after that must not leave it unknown.
        started.append(waiting.pop())
        try:
            started[-1].start()
        except RuntimeError:
            # The system refuses more threads. The threads that have started do all the work.
            waiting.clear()


def _join(started: list[threading.Thread], errors: list[BaseException]) -> None:
    # Join the threads even after interrupts: the caller uses the data of `work` again afterwards.
    while any(helper.is_alive() for helper in started):
        try:
            for helper in started:
                if helper.is_alive():
                    helper.join()
        except BaseException as error:  # noqa: BLE001  (raised after the threads have ended)
            errors.append(error)
