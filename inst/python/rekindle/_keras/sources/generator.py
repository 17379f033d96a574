"""A Python generator, whose batches come once: a later fit() gets the batches that follow."""

from __future__ import annotations

import itertools
import weakref
from typing import Any

from rekindle._keras.sources.data import Data

# How many batches the fit()s of this process have taken from each generator.
_taken: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()


class GeneratorData(Data):
    """A Python generator, or another iterable of batches.

    Keras takes the first two batches when a fit() is called, and each iterator begins with them.
    """

    python_iterator = "generator"
    settles = True
    is_prefetched = True

    def __init__(self, adapter: Any) -> None:
        super().__init__(adapter)
        self._first: list[Any] = getattr(adapter, "_first_batches", None) or []
        self._generator = _generator_of(getattr(adapter, "generator", None))
        self._before = self._now()
        self._note(len(self._first))

    def roots(self) -> dict[str, Any]:
        return {"generator": getattr(self._adapter, "generator", None)}

    def _now(self) -> int:
        return 0 if self._generator is None else _taken.get(self._generator, 0)

    def _note(self, more: int) -> None:
        if self._generator is not None:
            _taken[self._generator] = self._now() + more

    def has_given(self, number: int) -> None:
        if number > len(self._first):
            self._note(1)

    def supply(self) -> list[int] | None:
        return None if self._generator is None else [self._before, self._now()]

    def go_to(self, position: int) -> bool:
        more = position - self._before
        if more <= 0 or self._generator is None:
            return more == 0
        count = len(self._first)
        read = [*self._first, *itertools.islice(self._generator, more)]
        self._note(more)
        self._before = position
        # Keras' own iterators begin with this very list.
        self._first[:] = read[more:]
        return len(read) == more + count


def _generator_of(function: Any) -> Any:
    """The user's generator, behind the function in which Keras puts its first batches back."""
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    cells = dict(zip(names, getattr(function, "__closure__", None) or (), strict=False))
    found = cells["generator"].cell_contents if "generator" in cells else None
    try:
        weakref.ref(found)
        hash(found)
    except TypeError:
        return None
    return found
