"""The variables of a compiled model, named so that the same script finds its own again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import keras

from rekindle._run import keras_internals
from rekindle._store import Manifest
from rekindle._store.pack import AnyArray

_NUMBERED = re.compile(r"(.*?)(?:_(\d+))?")


def named(model: Any) -> dict[str, Any]:
    """Every variable of the model and of its optimizer, by name, each once.

    Keras numbers the layers of a process: the second `Dense` is `dense_1`, also when the first was
    part of another model. Such numbers are counted anew from the model's own first layer, so that a
    model built twice in one session has the same names twice.
    """
    variables = _unique(model.variables)
    optimizer = getattr(model, "optimizer", None)
    slots = _unique(optimizer.variables) if optimizer is not None else []
    counted = _Renumbered(model, variables + slots)
    found: dict[str, Any] = {}
    for variable in variables:
        _add(found, f"model/{counted.path(variable.path)}", variable)
    references = sorted(
        ((counted.path(v.path), v.path.replace("/", "_") + "_") for v in model.trainable_variables),
        key=lambda pair: -len(pair[1]),
    )
    for slot in slots:
        _add(found, f"optimizer/{_slot_name(slot, references, counted)}", slot)
    return found


def _unique(variables: Iterable[Any]) -> list[Any]:
    return list({id(variable): variable for variable in variables}.values())


def _add(found: dict[str, Any], name: str, variable: Any) -> None:
    # Two layers may bear one name; their order in the model is the same in each run.
    unique, again = name, 1
    while unique in found:
        again += 1
        unique = f"{name}#{again}"
    found[unique] = variable


def _slot_name(slot: Any, references: list[tuple[str, str]], counted: _Renumbered) -> str:
    # Keras names a slot `<path of its variable, with "_" for "/">_<kind>`.
    for path, prefix in references:
        if slot.name.startswith(prefix):
            return f"{path}/{slot.name[len(prefix) :]}"
    return counted.path(slot.path)


class _Renumbered:
    """Paths of variables with Keras' running numbers counted anew for one model."""

    def __init__(self, model: Any, variables: list[Any]) -> None:
        optimizer = getattr(model, "optimizer", None)
        inner = getattr(optimizer, "inner_optimizer", None)
        owners = [model, *keras_internals.layers(model), optimizer, inner]
        # Only names that Keras makes from a class are numbered by it; "block_2" is the user's own.
        self._automatic = {"seed_generator", "variable"} | {
            _snake_case(type(owner).__name__) for owner in owners if owner is not None
        }
        numbers: dict[str, set[int]] = {}
        for variable in variables:
            for part in variable.path.split("/"):
                base, number = self._split(part)
                numbers.setdefault(base, set()).add(number)
        self._ranks = {
            (base, number): rank
            for base, all_numbers in numbers.items()
            for rank, number in enumerate(sorted(all_numbers))
        }

    def path(self, path: str) -> str:
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


def metrics(model: Any) -> dict[str, Any]:
    """The variables of the model's metrics, by name: what an epoch has added up so far."""
    found: dict[str, Any] = {}
    for variable in _unique(model.metrics_variables):
        _add(found, f"metrics/{len(found)}", variable)
    return found


def values(variables: Mapping[str, Any]) -> dict[str, AnyArray]:
    """The variables' values now, as host arrays. They may share memory with the variables."""
    return {name: keras.ops.convert_to_numpy(variable) for name, variable in variables.items()}


def assign(variables: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
    for name, variable in variables.items():
        variable.assign(arrays[name])


def differences(variables: Mapping[str, Any], manifest: Manifest) -> list[str]:
    """How the save's variables differ from the model's: a line for each, empty when they fit."""
    saved = {
        name: f"{array.dtype} {array.shape}"
        for name, array in manifest.arrays.items()
        if name.startswith(("model/", "optimizer/"))
    }
    lines = []
    for name, variable in variables.items():
        expected = f"{keras.backend.standardize_dtype(variable.dtype)} {tuple(variable.shape)}"
        found = saved.get(name)
        if found is None:
            lines.append(f"{name}: expected {expected}, found no such variable in the backup")
        elif found != expected:
            lines.append(f"{name}: expected {expected}, found {found} in the backup")
    lines += [
        f"{name}: expected no such variable, found {saved[name]} in the backup"
        for name in saved
        if name not in variables
    ]
    return lines


def build(model: Any, epoch_iterator: Any) -> bool:
    """Gives the model, its optimizer and its metrics their variables: whether all have them now."""
    if not keras_internals.is_built(model):
        keras_internals.build_from_data(model, epoch_iterator)
    optimizer = getattr(model, "optimizer", None)
    if model.built and optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    return bool(model.built)
