"""Stands between a trainer and its data, and reports iterators and reads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from rekindle._training import random_states
from rekindle._training.data_source import DataListener


class Proxy:
    """Takes the place of the data when the trainer makes its iterators, and reports this.

    Args:
        listener: Receives the reports.
        source: The data.
        reports_making: Whether to report iterators.
        reports_reads: Whether to report reads.
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
            forget_foreign_thread()
        if not self._listener.looks_for_draws:
            batch = next(self._iterator)
            self._listener.has_read(batch, drew=False)
            return batch
        before = random_states.fast_mark()
        batch = next(self._iterator)
        self._listener.has_read(batch, drew=random_states.fast_mark() != before)
        return batch


def forget_foreign_thread() -> None:
    """Makes `threading` forget its note of this thread, if Python did not start the thread.

    TensorFlow reads its data in threads of its own, and `threading` notes such threads. A child may
    be forked from a noted thread, or from a thread that got the identifier of a noted one. Such a
    child takes the note for its main thread, and ends with exit code 1 although all is well
    (CPython 3.11). The workers of DataLoader are such children: DataLoader then raises an error in
    the middle of training.
    """
    here = threading.get_ident()
    noted = getattr(threading, "_active", {})
    if isinstance(noted.get(here), threading._DummyThread):
        noted.pop(here, None)
