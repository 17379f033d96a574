"""The counters of modules and models: calls, tokens, cost and time, as plain numbers.

`BudgetStopping` and the metrics of tokens and cost read them: without them, a resumed run would
forget what it has spent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from rekindle._base.arrays import AnyArray
from rekindle._codec import tree
from rekindle._synalinks import internals
from rekindle.errors import BrokenTreeError

# The attributes that count spending when a run begins, by which a callback measures its own.
_SPENT = ("_cost_baseline", "_tokens_baseline")


def is_counter(name: str) -> bool:
    """Whether an attribute of a module or model of this name is a counter of Synalinks."""
    return "cumulated_" in name or name.startswith("last_call_")


class Counters:
    """The counters of all modules and models within reach of a program.

    Args:
        program: The program.
        callbacks: The other callbacks of its fit().
    """

    lost: Mapping[str, str] = {}  # Never changed.

    def __init__(self, program: Any, callbacks: list[Any]) -> None:
        self._program = program
        self._callbacks = callbacks

    def _spenders(self) -> list[Any]:
        return [one for one in self._callbacks if all(name in vars(one) for name in _SPENT)]

    def take(self, arrays: dict[str, AnyArray]) -> dict[str, Any]:
        return {
            "modules": [
                tree.flatten(dict(_counters(one)), f"counters/{number}", arrays)
                for number, one in enumerate(internals.modules(self._program))
            ],
            "spent": [
                tree.flatten([getattr(one, name) for name in _SPENT], f"spent/{number}", arrays)
                for number, one in enumerate(self._spenders())
            ],
        }

    def build(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        """The optimizer's own part builds its programs."""

    def differences(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        return []

    def check(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        self._read(saved, arrays)

    def put(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        if not saved:
            return []
        counted, spent = self._read(saved, arrays)
        live, spenders = list(internals.modules(self._program)), self._spenders()
        for one, numbers in zip(spenders, spent, strict=False):
            for name, number in zip(_SPENT, numbers, strict=True):
                setattr(one, name, number)
        if len(counted) != len(live):
            return ["the program has other modules, so what they had spent was not restored"]
        for module, counters in zip(live, counted, strict=True):
            for name, value in counters.items():
                if name in vars(module):
                    object.__setattr__(module, name, value)
        return []

    def _read(
        self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]
    ) -> tuple[list[dict[str, Any]], list[list[Any]]]:
        counted = tree.unflatten(saved.get("modules", []), arrays)
        spent = tree.unflatten(saved.get("spent", []), arrays)
        if not (_are(counted, dict) and _are(spent, list)):
            raise BrokenTreeError("the counters of the modules are not lists of numbers")
        if not all(
            isinstance(name, str) and is_counter(name) and _counts(value)
            for counters in counted
            for name, value in counters.items()
        ):
            raise BrokenTreeError("a counter of a module is not a number")
        if not all(len(numbers) == len(_SPENT) and all(map(_counts, numbers)) for numbers in spent):
            raise BrokenTreeError("the spending of a callback is not a number")
        return counted, spent


def _are(values: Any, kind: type) -> bool:
    return isinstance(values, list) and all(isinstance(one, kind) for one in values)


def _counters(module: Any) -> Iterator[tuple[str, Any]]:
    for name, value in vars(module).items():
        if is_counter(name) and _counts(value):
            # Synalinks adds to the details in place.
            yield name, dict(value) if isinstance(value, dict) else value


def _counts(value: Any) -> bool:
    """Whether it is a number, or numbers by name."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _counts(one) for key, one in value.items())
    return isinstance(value, int | float) and math.isfinite(value)
