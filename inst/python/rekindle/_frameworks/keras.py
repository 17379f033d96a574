"""Names for Keras variables, such that the same script finds its own again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from rekindle._keras import internals

_NUMBERED = re.compile(r"(.*?)(?:_(\d+))?")


def unique(variables: Iterable[Any]) -> list[Any]:
    """Each variable once."""
    return list({id(variable): variable for variable in variables}.values())


def add(found: dict[str, Any], name: str, variable: Any) -> None:
    """Puts the variable under the name, or one like it."""
    # Two layers may bear one name; their order in the model is the same in each run.
    free, again = name, 1
    while free in found:
        again += 1
        free = f"{name}#{again}"
    found[free] = variable


class Names:
    """The names of the variables of some models, layers, optimizers and metrics.

    Keras numbers the layers of a process: the second `Dense` is `dense_1`, also when the first was
    part of another model. Such numbers are counted anew from the first of these owners, so that a
    model built twice in one session has the same names twice.

    Args:
        owners: Models, layers, optimizers and metrics that are named together.
    """

    def __init__(self, owners: Sequence[Any]) -> None:
        parts = [part for owner in owners for part in internals.parts(owner)]
        # Only names that Keras makes from a class are numbered by it; "block_2" is the user's own.
        self._automatic = {"seed_generator", "variable"} | {
            _snake_case(type(part).__name__) for part in parts
        }
        numbers: dict[str, set[int]] = {}
        for variable in unique(v for owner in owners for v in owner.variables):
            for part in variable.path.split("/"):
                base, number = self._split(part)
                numbers.setdefault(base, set()).add(number)
        self._ranks = {
            (base, number): rank
            for base, all_numbers in numbers.items()
            for rank, number in enumerate(sorted(all_numbers))
        }

    def of_layer(self, layer: Any) -> dict[str, Any]:
        """The variables of a model, a layer or a metric, by name."""
        found: dict[str, Any] = {}
        for variable in unique(layer.variables):
            add(found, self._path(variable.path), variable)
        return found

    def of_optimizer(self, optimizer: Any, trainable: Iterable[Any]) -> dict[str, Any]:
        """The variables of an optimizer of these variables, by name."""
        references = sorted(
            ((self._path(v.path), v.path.replace("/", "_") + "_") for v in trainable),
            key=lambda pair: -len(pair[1]),
        )
        found: dict[str, Any] = {}
        for slot in unique(optimizer.variables):
            add(found, self._slot_name(slot, references), slot)
        return found

    def _slot_name(self, slot: Any, references: list[tuple[str, str]]) -> str:
        # Keras names a slot `<path of its variable, with "_" for "/">_<kind>`.
        for path, prefix in references:
            if slot.name.startswith(prefix):
                return f"{path}/{slot.name[len(prefix) :]}"
        return self._path(slot.path)

    def _path(self, path: str) -> str:
        return "/".join(self._part(part) for part in path.split("/"))

    def _part(self, part: str) -> str:
        base, number = self._split(part)
        if base not in self._automatic:
            return part
        rank = self._ranks.get((base, number), number)
        return f"{base}_{rank}" if rank else base

    def _split(self, part: str) -> tuple[str, int]:
        match = _NUMBERED.fullmatch(part)
        if match is None or match[1] not in self._automatic:
            return part, 0
        return match[1], int(match[2] or 0)


def _snake_case(name: str) -> str:
    # As Keras does it in `auto_name`.
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
