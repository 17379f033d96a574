"""Random numbers that a step on TensorFlow draws, and that no checkpoint can continue.

Keras 3 itself draws from seeds in variables. But a layer or a `train_step()` of the user's may call
`tf.random.normal()` and its like. In a graph, these have their state in a kernel, in C++: nothing
can read or set it, and a new process begins the numbers again.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType
from typing import Any

import keras

from rekindle._frameworks import tensorflow_draws


def unknown(model: Any) -> list[str]:
    """A sentence for each kind of step that draws so; known after the first of these steps."""
    if keras.backend.backend() != "tensorflow":
        return []
    functions = {
        "a training step": getattr(model, "train_function", None),
        "a validation step": getattr(model, "test_function", None),
    }
    return [
        f"{name} draws with TensorFlow's {', '.join(found)}, whose state TensorFlow keeps to itself"
        " (draw with `keras.random` and a `keras.random.SeedGenerator` instead)"
        for name, function in functions.items()
        if (found := _found(function))
    ]


def _found(function: Any) -> list[str]:
    graphs = set(_graphs_in(function, set()))
    return sorted({name for graph in graphs for name in tensorflow_draws.left_over(graph)})


def _graphs_in(function: Any, seen: set[int]) -> Iterator[Any]:
    """The outermost functions that TensorFlow traces, within a function of Python.

    Keras gives a step as a plain function around them.
    """
    if id(function) in seen:
        return
    seen.add(id(function))
    if hasattr(function, "_list_all_concrete_functions"):
        yield function
    elif isinstance(function, FunctionType):
        for cell in function.__closure__ or ():
            try:
                inner = cell.cell_contents
            except ValueError:  # Not filled yet.
                continue
            yield from _graphs_in(inner, seen)
