"""Stands between Keras and the data, and tells what is made of it and read from it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Protocol

from rekindle._keras import sources
from rekindle._training import random_states


class Listener(Protocol):
    """Who is told.

    Attributes:
        looks_for_draws: Whether it wants to know of draws; looking takes longer than a fast step.
    """

    @property
    def looks_for_draws(self) -> bool: ...

    def made(self) -> None:
        """An iterator is about to be made."""

    def first_read(self) -> None:
        """It is about to be read for the first time."""

    def has_read(self, batch: Any, *, drew: bool) -> None:
        """It gave a batch; `drew` tells whether that changed the process' random states."""


class Source:
    """What Keras makes its iterator from, reporting when it does."""

    def __init__(self, place: Listener, source: Any, *, reports_making: bool = True) -> None:
        self._place = place
        self.source = source
        self._reports_making = reports_making

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def __iter__(self) -> Iterator[Any]:
        if not self._reports_making:
            return _Reader(self._place, iter(self.source))
        self._place.made()
        iterator = iter(self.source)
        # TensorFlow reads its own iterators inside its graphs: nothing can stand in their place.
        return iterator if sources.is_tensorflow() else _Reader(self._place, iterator)


class _Reader:
    """An iterator that reports its first read, and each batch."""

    def __init__(self, place: Listener, iterator: Iterator[Any]) -> None:
        self._place = place
        self._iterator = iterator
        self._is_new = True

    def __iter__(self) -> _Reader:
        return self

    def __next__(self) -> Any:
        if self._is_new:
            self._is_new = False
            self._place.first_read()
            _forget_foreign_thread()
        if not self._place.looks_for_draws:
            batch = next(self._iterator)
            self._place.has_read(batch, drew=False)
            return batch
        before = random_states.fast_mark()
        batch = next(self._iterator)
        self._place.has_read(batch, drew=random_states.fast_mark() != before)
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
