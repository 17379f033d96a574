"""Stands between a trainer and its data, and tells what is made of it and read from it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from rekindle._training import random_states
from rekindle._training.trainer import DataListener


class Proxy:
    """What the trainer makes its iterators from, reporting when it does.

    Args:
        listener: Who is told.
        source: The data.
        reports_making: Whether the listener is told of iterators.
        reports_reads: Whether it is told of reads.
    """

    def __init__(
        self,
        listener: DataListener,
        source: Any,
        *,
        reports_making: bool = True,
        reports_reads: bool = True,
    ) -> None:
        self._listener = listener
        self.source = source
        self._reports_making = reports_making
        self._reports_reads = reports_reads

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def __iter__(self) -> Iterator[Any]:
        if self._reports_making:
            self._listener.made()
        iterator = iter(self.source)
        return _Reader(self._listener, iterator) if self._reports_reads else iterator


class _Reader:
    """An iterator that reports its first read, and each batch."""

    def __init__(self, listener: DataListener, iterator: Iterator[Any]) -> None:
        self._listener = listener
        self._iterator = iterator
        self._is_new = True

    def __iter__(self) -> _Reader:
        return self

    def __next__(self) -> Any:
        if self._is_new:
            self._is_new = False
            self._listener.first_read()
            _forget_foreign_thread()
        if not self._listener.looks_for_draws:
            batch = next(self._iterator)
            self._listener.has_read(batch, drew=False)
            return batch
        before = random_states.fast_mark()
        batch = next(self._iterator)
        self._listener.has_read(batch, drew=random_states.fast_mark() != before)
        return batch


def _forget_foreign_thread() -> None:
    """Has `threading` forget what it noted of this thread, when it is none of Python's own.

    TensorFlow reads its data in threads of its own. A child forked from one that was noted (or that
    got the identifier of one that was) takes the note for its main thread and ends, all well, with
    exit code 1 (CPython 3.11). DataLoader, whose workers are such children, then raises an error in
    the middle of training.
    """
    here = threading.get_ident()
    noted = getattr(threading, "_active", {})
    if isinstance(noted.get(here), threading._DummyThread):
        noted.pop(here, None)
