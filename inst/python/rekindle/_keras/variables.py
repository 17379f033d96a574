"""The variables of a compiled model, with the same names in each run of the same script."""

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
from rekindle._training import fingerprint

# What a counter or the state of a seed generator may be: each backend has its own integers.
_INTEGERS = ("int32", "uint32", "int64")

# Less memory than this may stay in the heap: giving it back takes time.
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
    """The variables of the model's metrics, by name: the sums of the epoch so far."""
    found: dict[str, Any] = {}
    for variable in unique(model.metrics_variables):
        add(found, f"metrics/{len(found)}", variable)
    return found


def values(variables: Mapping[str, Any]) -> dict[str, AnyArray]:
    """The variables' values now, as host arrays. They may share memory with the variables."""
    return {name: frameworks.to_numpy(variable) for name, variable in variables.items()}


def assign(variables: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
    for name, variable in variables.items():
        dtype = keras.backend.standardize_dtype(variable.dtype)
        frameworks.like(variable, _as_integer_of_this_backend(arrays[name], dtype))
    size = sum(arrays[name].nbytes for name in variables)
    if keras.backend.backend() == "jax" and size >= _WORTH_GIVING_BACK:
        # JAX cannot overwrite an array. So the previous values of the variables are memory to give
        # back, while training continues.
        threading.Thread(target=memory.give_back, name="rekindle-heap").start()


def differences(variables: Mapping[str, Any], manifest: Manifest) -> list[str]:
    """A line for each difference between saved and live variables; empty if they fit."""
    expected = {
        name: f"{keras.backend.standardize_dtype(variable.dtype)} {tuple(variable.shape)}"
        for name, variable in variables.items()
    }
    backend = fingerprint.saved_backend(manifest)
    if backend == fingerprint.KERAS_2:
        return [fingerprint.of_another_library("Keras 3", "Keras 2")]
    if backend in (None, keras.backend.backend()):
        return fingerprint.array_differences(expected, manifest)
    return fingerprint.array_differences(expected, manifest, _is_integer_of_another_backend)


def _is_integer_of_another_backend(_name: str, expected: str, found: str) -> bool:
    """Whether both are integers of one shape, whose width each backend chooses."""
    (wanted, _, shape), (dtype, _, of_shape) = expected.partition(" "), found.partition(" ")
    return {wanted, dtype} <= set(_INTEGERS) and shape == of_shape


def _as_integer_of_this_backend(array: AnyArray, dtype: str) -> AnyArray:
    """The array, with its lowest bits kept if it is of integers of another width."""
    if array.dtype.name != dtype and {array.dtype.name, dtype} <= set(_INTEGERS):
        return array.astype(dtype)
    return array


def build(model: Any, epoch_iterator: Any) -> bool:
    """Makes the variables of model, optimizer and metrics. Returns whether the model has them.

    For a backup whose variables are not known.
    """
    if not building.is_built(model):
        building.from_data(model, epoch_iterator)
    optimizer = getattr(model, "optimizer", None)
    if model.built and optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    return bool(model.built)


def build_saved(model: Any, epoch_iterator: Any, manifest: Manifest) -> None:
    """Makes the saved variables that the model, its optimizer and its metrics lack.

    If possible, this does not build parts that were not built when the checkpoint was taken.
    """
    saved = _saved(manifest)
    missing = _missing(model, saved)
    if not missing:
        return
    # The optimizer last: a layer may have variables only in training.
    ways: list[Callable[[Any, Any], None]] = [
        partial(building.from_data, optimizer=False),
        building.from_step,
    ]
    if not building.trains_as_keras(model) and not model.run_eagerly:
        # The shapes of the data may differ from the shapes with which the model is called.
        ways.reverse()
    for way in ways:
        if _of("model/", missing) or _of("metrics/", missing):
            way(model, epoch_iterator)
            missing = _missing(model, saved)
    if _of("optimizer/", missing) and not model.optimizer.built:
        model.optimizer.build(_trained(model, saved) or model.trainable_variables)


def unbuilt(model: Any, manifest: Manifest) -> list[str]:
    """The saved variables that the model and its optimizer still lack."""
    optimizer = getattr(model, "optimizer", None)
    kinds = [] if all(part.built for part in keras_objects.parts(model)) else ["model/"]
    if optimizer is not None and not optimizer.built:
        kinds.append("optimizer/")
    missing = _missing(model, _saved(manifest)) if kinds else set()
    return [name for kind in kinds for name in sorted(_of(kind, missing))]


def _saved(manifest: Manifest) -> set[str]:
    """The names of the saved variables; in the middle of an epoch, those of metrics, too."""
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
