"""The variables of a compiled model, with the same names in each run of the same script.

Keras 2 numbers the layers of a process, and its names of variables need not differ. So a name here
is the path by which TensorFlow's own checkpoints reach the variable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from rekindle._base.arrays import AnyArray
from rekindle._format.manifest import Manifest
from rekindle._frameworks import table as frameworks
from rekindle._tf_keras import random_ops
from rekindle._training import fingerprint


def named(model: Any) -> dict[str, Any]:
    """Every variable of the model and of its optimizer, by name, each once.

    A variable of which each replica has a value of its own is there once for each replica.
    """
    found: dict[str, Any] = {}
    seen: set[int] = set()
    for name, variable in _in_order(model):
        if id(variable) not in seen:
            seen.add(id(variable))
            _add(found, name, variable)
    return found


def metrics(model: Any) -> dict[str, Any]:
    """The variables of the model's metrics, by name: the sums of the epoch so far."""
    found: dict[str, Any] = {}
    seen: set[int] = set()
    for variable in _of_metrics(model):
        if id(variable) not in seen:
            seen.add(id(variable))
            _add(found, f"metrics/{len(seen) - 1}", variable)
    return found


def _in_order(model: Any) -> Iterator[tuple[str, Any]]:
    optimizer = getattr(model, "optimizer", None)
    summed = {id(variable) for variable in _of_metrics(model)}
    for path, variable in _within(model):
        if id(variable) not in summed:
            yield (path if path.startswith("optimizer/") else f"model/{path}"), variable
    # Variables that no path reaches: weights in plain containers, and slots of old optimizers.
    for number, variable in enumerate(model.variables if model.built else ()):
        if id(variable) not in summed:
            yield f"model/variables/{number}", variable
    for number, variable in enumerate(of_optimizer(optimizer)):
        yield f"optimizer/variables/{number}", variable
    yield "model/train_counter", model._train_counter
    yield from _hidden(model)
    for number, generator in enumerate(generators(model)):
        yield f"model/generators/{number}", generator.state
    operations = random_ops.of_model(model)
    for key, state in operations.state.items() if operations is not None else ():
        yield f"model/random_ops/{key}", state


def _within(root: Any) -> Iterator[tuple[str, Any]]:
    """Each variable within reach, under its shortest path, as in TensorFlow's checkpoints."""
    view = tf.train.TrackableView(root)
    seen = {id(root)}
    queue: list[tuple[str, Any]] = [("", root)]
    # The list grows. Breadth first: a path does not change when a deeper path is added.
    for path, value in queue:
        if isinstance(value, tf.Variable):
            yield path, value
            continue
        for name, child in view.children(value).items():
            if id(child) not in seen:
                seen.add(id(child))
                queue.append((f"{path}/{name}" if path else str(name), child))


# Counters and settings of models, which fit() sets by itself.
_OF_FIT = {"_predict_counter", "_steps_per_execution", "_test_counter", "_train_counter"}


def _hidden(model: Any) -> Iterator[tuple[str, Any]]:
    """Variables that layers keep from TensorFlow's checkpoints, as stateful RNNs keep theirs."""
    for number, layer in enumerate(model._flatten_layers(include_self=False)):
        for name, value in vars(layer).items():
            parts = tf.nest.flatten(value) if name not in _OF_FIT and _may_hold(value) else ()
            for place, one in enumerate(parts):
                if isinstance(one, tf.Variable):
                    yield f"model/layers/{number}/{name}/{place}", one


def _may_hold(value: Any) -> bool:
    return isinstance(value, tf.Variable | list | tuple | dict)


def _of_metrics(model: Any) -> list[Any]:
    return [variable for metric in model.metrics for variable in metric.variables]


def of_optimizer(optimizer: Any) -> list[Any]:
    """The variables of an optimizer: an attribute, or a method in the older classes."""
    found = getattr(optimizer, "variables", None) or []
    return list(found() if callable(found) else found)


def generators(model: Any) -> list[Any]:
    """The generators that layers draw from, as after `enable_tf_random_generator()`.

    Keras leaves them out of the model's variables, and TensorFlow out of its checkpoints.
    """
    found = []
    for layer in model._flatten_layers():
        own = getattr(layer, "_random_generator", None)
        generator = getattr(own, "_generator", None)
        if isinstance(generator, tf.random.Generator):
            found.append(generator)
    return found


def _add(found: dict[str, Any], name: str, variable: Any) -> None:
    """Adds a variable; if each replica has a value of its own, one for each replica."""
    if not _differs_by_replica(name, variable):
        found[name] = variable
        return
    for replica, part in enumerate(_replicas(variable)):
        found[f"{name}@{replica}" if replica else name] = part


def same_in_all_workers(model: Any) -> set[str]:
    """Names of the model's variables that training keeps the same in each worker of a strategy."""
    beside = ("model/generators/", "model/layers/", "model/random_ops/")
    return {
        name
        for name, variable in named(model).items()
        if not name.startswith(beside) and _is(variable, "MirroredVariable")
    }


def _replicas(variable: Any) -> list[Any]:
    """The variables in which the values of a variable lie: one on each device of a strategy."""
    found = getattr(variable, "values", None)
    return list(found) if isinstance(found, tuple | list) else [variable]


def _differs_by_replica(name: str, variable: Any) -> bool:
    """Whether replicas may have values of their own, such as the statistics of a normalization."""
    return _is(variable, "SyncOnReadVariable") or name.startswith("model/generators/")


def _is(variable: Any, kind: str) -> bool:
    """Whether a variable, perhaps in a wrapper for low precision, is of this class."""
    # By its class alone. To ask a SyncOnReadVariable for an attribute reads it, which all workers
    # of a strategy have to do at once.
    return any(one.__name__ == kind for one in type(variable).__mro__)


def values(variables: Mapping[str, Any]) -> dict[str, AnyArray]:
    """The variables' values now, as host arrays. They may share memory with the variables."""
    return {name: frameworks.to_numpy(_replicas(one)[0]) for name, one in variables.items()}


def assign(variables: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
    for name, variable in variables.items():
        for part in _replicas(variable):
            frameworks.like(part, arrays[name])


def spec(variable: Any) -> str:
    return f"{variable.dtype.base_dtype.name} {tuple(variable.shape)}"


def differences(variables: Mapping[str, Any], manifest: Manifest) -> list[str]:
    """A line for each difference between saved and live variables; empty if they fit."""
    if fingerprint.saved_backend(manifest) not in (None, fingerprint.KERAS_2):
        return [fingerprint.of_another_library("Keras 2", "Keras 3")]
    expected = {name: spec(variable) for name, variable in variables.items()}
    return fingerprint.array_differences(expected, manifest)


def saved_names(manifest: Manifest) -> set[str]:
    """The names of the saved variables; in the middle of an epoch, those of metrics, too."""
    kinds = fingerprint.WEIGHTS + (("metrics/",) if manifest.position.batch else ())
    return {name for name in manifest.arrays if name.startswith(kinds)}


def missing(model: Any, manifest: Manifest) -> list[str]:
    """The saved variables that the model, its optimizer and its metrics lack."""
    saved = saved_names(manifest)
    return sorted(saved - named(model).keys() - metrics(model).keys())


def copies(variables: Mapping[str, Any]) -> dict[str, AnyArray]:
    return {name: np.array(value) for name, value in values(variables).items()}
