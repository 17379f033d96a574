"""Large amounts of bytes, to a disk that works meanwhile and from one on more than one thread."""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from rekindle._base import linux
from rekindle._storage.local import fs

_T = TypeVar("_T")

# Whoever writes is asked to wait for nothing smaller; the disk gets such pieces to work on.
_PIECE = 8 << 20

# More readers than this gain nothing on one file.
_MOST_READERS = 4

# Less than this is read before a second thread has started.
_READERS_SHARE = 16 << 20

# Linux' SYNC_FILE_RANGE_WRITE: begin to write, wait for nothing. The flags that wait would also
# take the error that fsync() is to tell of.
_BEGIN_WRITING = 2


def write(fd: int, chunks: Iterable[memoryview]) -> None:
    """Writes the chunks, one after the other from the file's beginning on, not synced.

    The system would else begin to write when it is asked to sync: after the last byte is there.
    """
    begun = written = 0
    for chunk in chunks:
        for start in range(0, len(chunk), _PIECE):
            piece = chunk[start : start + _PIECE]
            fs.write_all(fd, piece)
            written += len(piece)
            if written - begun >= _PIECE:
                _begin_writing(fd, begun, written - begun)
                begun = written


def _begin_writing(fd: int, offset: int, length: int) -> None:
    call = _sync_file_range()
    if call is not None:
        # Whatever it answers: it is a hint, and fsync() tells the errors of writing.
        call(fd, offset, length, _BEGIN_WRITING)


@functools.cache
def _sync_file_range() -> Any:
    types = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return linux.call("sync_file_range", types)


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
