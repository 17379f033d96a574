"""The variables of a compiled model, named so that the same script finds its own again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import keras

from rekindle._base import memory
from rekindle._base.arrays import AnyArray
from rekindle._format.manifest import Manifest
from rekindle._frameworks import keras as keras_objects
from rekindle._frameworks import table as frameworks
from rekindle._frameworks.keras import Names, add, unique
from rekindle._keras import building

# Less than this may stay in the heap: looking through it takes its time.
_WORTH_GIVING_BACK = 64 << 20


def named(model: Any) -> dict[str, Any]:
    """Every variable of the model and of its optimizer, by name, each once."""
    optimizer = getattr(model, "optimizer", None)
    names = Names([model] if optimizer is None else [model, optimizer])
    found = {f"model/{name}": variable for name, variable in names.of_layer(model).items()}
    if optimizer is not None:
        slots = names.of_optimizer(optimizer, model.trainable_variables)
        found |= {f"optimizer/{name}": slot for name, slot in slots.items()}
    return found


def metrics(model: Any) -> dict[str, Any]:
    """The variables of the model's metrics, by name: what an epoch has added up so far."""
    found: dict[str, Any] = {}
    for variable in unique(model.metrics_variables):
        add(found, f"metrics/{len(found)}", variable)
    return found


def values(variables: Mapping[str, Any]) -> dict[str, AnyArray]:
    """The variables' values now, as host arrays. They may share memory with the variables."""
    return {name: frameworks.to_numpy(variable) for name, variable in variables.items()}


def assign(variables: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
    for name, variable in variables.items():
        frameworks.like(variable, arrays[name])
    size = sum(arrays[name].nbytes for name in variables)
    if keras.backend.backend() == "jax" and size >= _WORTH_GIVING_BACK:
        # It cannot write over an array: what the variables held before is memory to give back,
        # beside the training.
        threading.Thread(target=memory.give_back, name="rekindle-heap").start()


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
    """Gives the model, its optimizer and its metrics their variables: whether the model has them.

    For a backup of which it is not known which variables are in it.
    """
    if not building.is_built(model):
        building.from_data(model, epoch_iterator)
    optimizer = getattr(model, "optimizer", None)
    if model.built and optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    return bool(model.built)


def build_saved(model: Any, epoch_iterator: Any, manifest: Manifest) -> None:
    """Gives the model, its optimizer and its metrics those of the saved variables they lack.

    What was not built when the save was taken is left alone, where that is possible.
    """
    saved = _saved(manifest)
    missing = _missing(model, saved)
    if not missing:
        return
    # The optimizer last: a layer may have variables in training alone.
    ways: list[Callable[[Any, Any], None]] = [
        partial(building.from_data, optimizer=False),
        building.from_step,
    ]
    if not building.trains_as_keras(model) and not model.run_eagerly:
        # The data may be of other shapes than those that the model is called with.
        ways.reverse()
    for way in ways:
        if _of("model/", missing) or _of("metrics/", missing):
            way(model, epoch_iterator)
            missing = _missing(model, saved)
    if _of("optimizer/", missing) and not model.optimizer.built:
        model.optimizer.build(_trained(model, saved) or model.trainable_variables)


def unbuilt(model: Any, manifest: Manifest) -> list[str]:
    """The saved variables that the model and its optimizer have still to be given."""
    optimizer = getattr(model, "optimizer", None)
    kinds = [] if all(part.built for part in keras_objects.parts(model)) else ["model/"]
    if optimizer is not None and not optimizer.built:
        kinds.append("optimizer/")
    missing = _missing(model, _saved(manifest)) if kinds else set()
    return [name for kind in kinds for name in sorted(_of(kind, missing))]


def _saved(manifest: Manifest) -> set[str]:
    """The names of the saved variables; in the midst of an epoch, the metrics count as well."""
    kinds = ("model/", "optimizer/") + (("metrics/",) if manifest.position.batch else ())
    return {name for name in manifest.arrays if name.startswith(kinds)}


def _missing(model: Any, saved: set[str]) -> set[str]:
    missing = saved - named(model).keys()
    return missing - metrics(model).keys() if _of("metrics/", missing) else missing


def _of(kind: str, names: set[str]) -> set[str]:
    return {name for name in names if name.startswith(kind)}


def _trained(model: Any, saved: set[str]) -> list[Any]:
    """The variables that the saved optimizer trained: those that it has slots for."""
    names = Names([model, model.optimizer]).of_layer(model)
    paths = {id(variable): name for name, variable in names.items()}
    return [
        variable
        for variable in model.trainable_variables
        if any(name.startswith(f"optimizer/{paths[id(variable)]}/") for name in saved)
    ]
