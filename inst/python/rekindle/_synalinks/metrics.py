"""What metrics of tokens, cost and time count from: no variables, but plain numbers."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

from rekindle._base.arrays import AnyArray
from rekindle._codec import tree
from rekindle.errors import BrokenTreeError


def build(program: Any, fit: Mapping[str, Any]) -> None:
    """Makes the metrics and rewards that a program makes when it first uses them.

    They look at the form of a target and of a prediction, which is that of a target.
    """
    targets = fit.get("val_y")
    if targets is None or not len(targets):
        return
    for one in (program._compile_metrics, program._compile_reward):
        # If this fails, the first batch makes them, and says why it fails there.
        with contextlib.suppress(Exception):
            if one is not None and not one.built:
                one.build(targets[0], targets[0])


class Baselines:
    """The counters at the beginning of the epoch, from which these metrics count.

    Args:
        program: The program.
        fit: The arguments of its fit().
    """

    lost: Mapping[str, str] = {}  # Never changed.

    def __init__(self, program: Any, fit: Mapping[str, Any]) -> None:
        self._program = program
        self._fit = fit

    def _metrics(self) -> list[Any]:
        return [one for one in _flat(self._program.metrics) if _counts_from(one)]

    def take(self, arrays: dict[str, AnyArray]) -> dict[str, Any]:
        found = [
            {"from": dict(one._baselines), "seconds": float(one._wall_clock_delta())}
            for one in self._metrics()
        ]
        return {"metrics": tree.flatten(found, "baselines", arrays)} if found else {}

    def build(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        """Makes the metrics, if they have no variables for which they were made."""
        if len(saved.get("metrics", ())) > len(self._metrics()):
            build(self._program, self._fit)

    def differences(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        return []

    def check(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        self._read(saved, arrays)

    def put(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        values, live = self._read(saved, arrays), self._metrics()
        if saved and len(values) != len(live):
            return ["other metrics count tokens and cost, so what they count from was not restored"]
        for one, value in zip(live, values, strict=False):
            one._baselines.update(
                {name: number for name, number in value["from"].items() if name in one._baselines}
            )
            # The clock of this process began later.
            one._wall_baseline += one._wall_clock_delta() - value["seconds"]
        return []

    def _read(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[Any]:
        values = tree.unflatten(saved.get("metrics", []), arrays)
        if not isinstance(values, list) or not all(map(_is_valid, values)):
            raise BrokenTreeError("what metrics count from is not a list of numbers")
        return values


def _flat(metrics: Any, depth: int = 0) -> Iterator[Any]:
    for one in metrics:
        yield one
        inside = getattr(one, "metrics", None)
        if isinstance(inside, list) and depth < 10:
            yield from _flat(inside, depth + 1)


def _counts_from(metric: Any) -> bool:
    names = ("_baselines", "_wall_baseline", "_wall_clock_delta")
    return all(hasattr(metric, name) for name in names) and isinstance(metric._baselines, dict)


def _is_valid(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("from"), dict)
        and all(map(_is_number, value["from"].values()))
        and _is_number(value.get("seconds"))
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
