"""Looks into a pipeline of tf.data: its functions, their variables, and what runs them when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._frameworks import keras as keras_objects
from rekindle._training.owned import Drawn
from rekindle.errors import BrokenTreeError

# Larger variables are tables and weights that a function reads, and no state of a generator.
_STATE_BYTES = 1 << 16

_PYTHON = {"PyFunc", "EagerPyFunc", "PyFuncStateless", "GeneratorDataset"}
_DRAWS = ("Random", "Rng", "Stateful", "Assign", "Multinomial", "TruncatedNormal", "Parameterized")


def datasets(dataset: Any) -> Iterator[Any]:
    """The dataset, and all datasets that it reads, each once."""
    seen: set[int] = set()
    left = [dataset]
    while left:
        one = left.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            left += inputs(one)


def inputs(dataset: Any) -> list[Any]:
    """The datasets that this dataset reads. A dataset of several devices holds the user's own."""
    inner = getattr(dataset, "_original_dataset", None)
    if inner is not None:
        return [inner]
    found = getattr(dataset, "_inputs", None)
    return list(found()) if callable(found) else []


def given(dataset: Any) -> Any:
    """The user's dataset, without the two steps that Keras adds for `class_weight`."""
    step: Any = getattr(dataset, "_input_dataset", None)
    names = [getattr(getattr(one, "_func", None), "__name__", "") for one in functions(step)]
    return step._input_dataset if "class_weights_map_fn" in names else dataset


def functions(dataset: Any) -> list[Any]:
    """The functions that this one dataset runs, as TensorFlow wraps them."""
    values = list(vars(dataset).values()) if hasattr(dataset, "__dict__") else []
    return [one for one in values if type(one).__name__ == "StructuredFunctionWrapper"]


def python_of(dataset: Any) -> dict[str, Any]:
    """The user's Python functions from which the functions of a pipeline were traced, by name."""
    found = {}
    for number, one in enumerate(datasets(dataset)):
        for function in functions(one):
            found[f"{type(one).__name__.strip('_')}{number}"] = getattr(function, "_func", None)
    return found


def variables_of(dataset: Any) -> dict[str, Drawn]:
    """The variables that the functions of a pipeline read or change, by name.

    They hold the states of layers, of seed generators and of ``tf.random.Generator``.
    """
    found: dict[str, Drawn] = {}
    seen: set[int] = set()
    for number, one in enumerate(datasets(dataset)):
        for function in functions(one):
            for index, handle in enumerate(_captured(function)):
                variable = Variable.of(handle)
                if variable is not None and id(handle) not in seen:
                    seen.add(id(handle))
                    found[f"variable/{number}/{index}"] = variable
    return found


def _captured(function: Any) -> list[Any]:
    return list(getattr(getattr(function, "function", None), "captured_inputs", ()))


class Variable:
    """A variable of TensorFlow, by the handle that a function has captured."""

    def __init__(self, handle: Any, dtype: Any, shape: tuple[int, ...]) -> None:
        self.handle = handle
        self._dtype, self._shape = dtype, shape

    @classmethod
    def of(cls, handle: Any) -> Variable | None:
        """``None`` if the value is no handle of a variable, or the variable is too large."""
        import tensorflow as tf

        data = getattr(handle, "_handle_data", None)
        if getattr(handle, "dtype", None) != tf.resource or data is None or not data.is_set:
            return None
        if len(data.shape_and_type) != 1:
            return None
        dtype = tf.dtypes.as_dtype(data.shape_and_type[0].dtype)
        shape = tf.TensorShape(data.shape_and_type[0].shape)
        if not shape.is_fully_defined() or dtype in (tf.string, tf.resource, tf.variant):
            return None
        if dtype.size * shape.num_elements() > _STATE_BYTES:
            return None
        return cls(handle, dtype, tuple(shape.as_list()))

    def take(self) -> AnyArray | None:
        import tensorflow as tf

        try:
            return np.array(tf.raw_ops.ReadVariableOp(resource=self.handle, dtype=self._dtype))
        # It is no variable, or has no value yet.
        except (tf.errors.OpError, TypeError, ValueError):
            return None

    def check(self, state: Any) -> None:
        is_one = isinstance(state, np.ndarray) and state.shape == self._shape
        if not is_one or state.dtype != self._dtype.as_numpy_dtype:
            raise BrokenTreeError("the state of a variable of the data has another shape or dtype")

    def put(self, state: AnyArray) -> None:
        import tensorflow as tf

        value = tf.convert_to_tensor(state, self._dtype)
        tf.raw_ops.AssignVariableOp(resource=self.handle, value=value)


def process_states(variables: Mapping[str, Drawn]) -> tuple[str, ...]:
    """The random states of the process that a pipeline draws from, ahead of training, by name."""
    handles = [one.handle for one in variables.values() if isinstance(one, Variable)]
    if not handles:
        return ()
    from tensorflow.python.ops import stateful_random_ops

    seed = keras_objects.global_seed_variable()
    globals_ = {
        "keras": getattr(getattr(seed, "value", None), "handle", None),
        "tensorflow.generator": getattr(
            getattr(getattr(stateful_random_ops, "global_generator", None), "state", None),
            "handle",
            None,
        ),
    }
    return tuple(name for name, one in globals_.items() if any(one is h for h in handles))


def shuffles_passes(dataset: Any) -> bool:
    """Whether it shuffles what it repeats: each pass of one iterator has an order of its own."""
    return any(
        "Repeat" in type(one).__name__
        and any(
            "Shuffle" in type(below).__name__ and getattr(below, "_reshuffle_each_iteration", True)
            for below in datasets(one)
        )
        for one in datasets(dataset)
    )


def draws_in_parallel(dataset: Any) -> bool:
    """Whether functions that draw run beside each other: no reading gives the same data again."""
    return any(
        "Parallel" in type(one).__name__ and any(_operations(f, _DRAWS) for f in functions(one))
        for one in datasets(dataset)
    )


def calls_python(dataset: Any) -> bool:
    """Whether the pipeline calls Python code. TensorFlow reads any pipeline ahead."""
    return any(_calls_python(one) for one in datasets(dataset))


def _calls_python(dataset: Any) -> bool:
    return any(_operations(function, tuple(_PYTHON)) for function in functions(dataset))


def _operations(function: Any, kinds: tuple[str, ...]) -> bool:
    """Whether a function, or one that it calls, has an operation of a kind."""
    graph = getattr(getattr(function, "function", None), "graph", None)
    if graph is None:
        return False
    definition = graph.as_graph_def()
    nodes = [*definition.node]
    for one in definition.library.function:
        nodes += one.node_def
    return any(node.op.startswith(kinds) for node in nodes)
