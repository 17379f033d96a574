"""Reads Keras objects: their parts, and names for their variables.

This module reads Keras objects but does not import Keras. It looks up Keras' private names only
when it needs them.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

from rekindle._base.origin import module_of
from rekindle._frameworks.loaded import loaded

_NUMBERED = re.compile(r"(.*?)(?:_(\d+))?")


def is_variable(value: Any) -> bool:
    """Whether the value is a Keras variable."""
    keras = loaded("keras")
    return keras is not None and isinstance(value, variable_base(getattr(keras, "Variable", None)))


@functools.cache
def variable_base(exported: Any) -> Any:
    """The base class of all Keras variables.

    In older versions, the variables of layers are not instances of `exported`.
    """
    if exported is None:
        return ()
    common = "keras.src.backend.common.variables"
    return next((cls for cls in exported.__mro__ if module_of(cls) == common), exported)


def is_owner(value: Any) -> bool:
    """Whether the value is a layer, a model, an optimizer or a metric."""
    return not isinstance(value, type) and isinstance(value, owner_classes())


def owner_classes() -> tuple[type, ...]:
    """The classes that own variables; empty if Keras is not imported, or not completely."""
    keras = loaded("keras")
    if keras is None or not hasattr(keras, "metrics"):
        return ()
    return keras.layers.Layer, keras.optimizers.Optimizer, keras.metrics.Metric


def is_model(value: Any) -> bool:
    return is_owner(value) and isinstance(value, loaded("keras").Model)


def is_optimizer(value: Any) -> bool:
    return is_owner(value) and isinstance(value, loaded("keras").optimizers.Optimizer)


def is_seed_generator(value: Any) -> bool:
    keras = loaded("keras")
    return hasattr(keras, "random") and isinstance(value, keras.random.SeedGenerator)


def unique(variables: Iterable[Any]) -> list[Any]:
    """Each variable once."""
    return list({id(variable): variable for variable in variables}.values())


def add(found: dict[str, Any], name: str, variable: Any) -> None:
    """Adds the variable under the name, or under a similar name if that is taken."""
    # Two layers may have the same name. Their order in the model is the same in each run.
    free, again = name, 1
    while free in found:
        again += 1
        free = f"{name}#{again}"
    found[free] = variable


class Names:
    """The names of the variables of some models, layers, optimizers and metrics.

    Keras numbers the layers of a process: the second `Dense` is `dense_1`, even if the first was
    part of another model. This class counts again from the first of these owners. So a model that
    is built twice in one session has the same names twice.

    Args:
        owners: Models, layers, optimizers and metrics that are named together.
    """

    def __init__(self, owners: Sequence[Any]) -> None:
        inner = [part for owner in owners for part in parts(owner)]
        # Keras numbers only the names that it makes from a class. "block_2" is the user's own name.
        self._automatic = {"seed_generator", "variable"} | {
            _snake_case(type(part).__name__) for part in inner
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
        """The variables of an optimizer that trains `trainable`, by name."""
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
    # The same steps as in Keras' `auto_name`.
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def parts(owner: Any) -> list[Any]:
    """The model, layer, optimizer or metric, and the layers or the optimizer inside of it."""
    flatten = getattr(owner, "_flatten_layers", None)
    found = [owner, *(flatten() if flatten is not None else getattr(owner, "layers", []))]
    inner = getattr(owner, "inner_optimizer", None)
    return found if inner is None else [*found, inner]


def trainable_of(optimizer: Any) -> list[Any]:
    """The variables that the optimizer was built for; empty if this Keras does not list them."""
    return list(getattr(optimizer, "_trainable_variables", None) or [])


def sync_variables(model: Any) -> None:
    """On JAX, makes the train loop hand over the newest values, which it holds until then."""
    sync = getattr(model, "jax_state_sync", None)
    if sync is not None:
        sync()


_GLOBAL_SEED_GENERATOR = "global_seed_generator"


def _private(module: str, name: str) -> Any:
    """A private name of Keras; ``None`` if this version, or this process, does not have it."""
    if loaded("keras") is None:
        return None
    try:
        return getattr(importlib.import_module(f"keras.src.{module}"), name)
    except (ImportError, AttributeError):
        return None


def global_seed_variable() -> Any:
    """The variable of Keras' global seed generator; ``None`` if there is none."""
    get = _private("backend.common.global_state", "get_global_attribute")
    generator = None if get is None else get(_GLOBAL_SEED_GENERATOR)
    return None if generator is None else generator.state


def global_seed_state() -> Any:
    """Its state; ``None`` if there is none."""
    variable = global_seed_variable()
    return None if variable is None else loaded("keras").ops.convert_to_numpy(variable)


def set_global_seed_state(state: Any) -> None:
    """Restores a :func:`global_seed_state`. After ``None``, the next use makes a new generator."""
    if state is None:
        forget = _private("backend.common.global_state", "set_global_attribute")
        if forget is not None:
            forget(_GLOBAL_SEED_GENERATOR, None)
    else:
        make = _private("random.seed_generator", "global_seed_generator")
        if make is not None:
            make().state.assign(state)
