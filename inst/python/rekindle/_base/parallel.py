"""Work that several threads share."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


# More readers than this gain nothing on one file.
_MOST_READERS = 4

# Less than this is read before a second thread has started.
_READERS_SHARE = 16 << 20


def readers(size: int) -> int:
    """How many threads are worth having to read so many bytes."""
    return max(1, min(_MOST_READERS, processors(), size // _READERS_SHARE))


def processors() -> int:
    """How many of them this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1


def share_out(work: Callable[[Iterator[_T]], None], items: Iterable[_T], threads: int) -> None:
    """Calls `work` on that many threads, this one among them, each with a part of the items.

    Which thread gets an item is decided when it asks for it. After an error no thread gets more.

    Raises:
        BaseException: The first that `work` raised, once every thread has ended.
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
        except BaseException as error:  # noqa: BLE001  (raised again, by the thread that asked)
            errors.append(error)

    helpers = [
        threading.Thread(target=run, name="rekindle-helper") for _ in range(max(0, threads - 1))
    ]
    try:
        _start(helpers)
    except BaseException as error:  # noqa: BLE001  (an interrupt: those that go end first)
        errors.append(error)
    run()
    # Also after an interrupt, or several: what they work on is the caller's again afterwards.
    while any(helper.is_alive() for helper in helpers):
        try:
            for helper in helpers:
                if helper.is_alive():
                    helper.join()
        except BaseException as error:  # noqa: BLE001  (raised once they have ended)
            errors.append(error)
    if errors:
        raise errors[0]


def _start(helpers: list[threading.Thread]) -> None:
    for helper in helpers:
        try:
            helper.start()
        except RuntimeError:
            # No more can be had: those that there are do all of it.
            return
