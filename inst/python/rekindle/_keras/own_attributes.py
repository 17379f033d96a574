"""Which attributes of a model, of its layers and of their modules may be the user's own state."""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Iterator
from typing import Any

import keras

from rekindle._base.origin import package_of
from rekindle._frameworks import keras as keras_objects
from rekindle._frameworks.loaded import loaded

_LIBRARIES = ("keras", "torch", "tensorflow", "jax", "builtins")

_MAX_DEPTH = 4

# What Keras sets in a model while it is compiled and fitted.
_OF_MODELS = {
    *("built", "compiled", "history", "inputs", "input_spec", "jit_compile", "loss", "optimizer"),
    *("outputs", "predict_function", "run_eagerly", "steps_per_execution", "stop_evaluating"),
    *("stop_predicting", "stop_training", "supports_jit", "test_function", "train_function"),
    *("training", "module", "output_shape", "name"),
}


# What a compiled step runs.
_OF_STEPS = {"call", "train_step", "compute_loss", "compute_loss_and_updates", "forward"}


def is_users(owner: Any) -> bool:
    """Whether the object is of a class that no library defines."""
    return _is_users_class(type(owner))


def is_settled(part: Any, model: Any) -> bool:
    """Whether a part of the model keeps the objects that it holds now.

    A model has many such layers, and to walk through all of them at each save takes time.
    """
    return part is not model and not is_users(part) and bool(getattr(part, "built", True))


def may_be_state(owner: Any, name: str, value: Any) -> bool:
    """Whether an attribute may be state that is saved nowhere else."""
    if name in _OF_MODELS or name in _of_libraries() or name.startswith(("__", "_self_", "_tf_")):
        return False
    kind: Any = type(owner)
    if name.startswith("_") and name not in _users_names(kind):
        return False
    return not any(_is_saved_elsewhere(one) for _, one in each(name, value))


def each(name: str, value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The value, or the values in the lists and dicts of it, each by a name."""
    if isinstance(value, list | tuple):
        pairs: Any = enumerate(value)
    elif isinstance(value, dict):
        pairs = value.items()
    else:
        yield name, value
        return
    for key, item in pairs if depth < _MAX_DEPTH else ():
        yield from each(f"{name}.{key}", item, depth + 1)


def _is_saved_elsewhere(value: Any) -> bool:
    """Whether it is a part of a model, an optimizer, or code."""
    if isinstance(value, type | types.ModuleType | types.FunctionType | types.MethodType):
        return True
    if keras_objects.is_owner(value) or keras_objects.is_variable(value):
        return True
    if keras_objects.is_seed_generator(value) or isinstance(value, keras.Loss):
        return True
    torch, tensorflow = loaded("torch"), loaded("tensorflow")
    if torch is not None and isinstance(
        value, torch.nn.Module | torch.optim.Optimizer | torch.nn.Parameter
    ):
        return True
    # A tensor that training has computed, such as the activations of the last batch.
    if getattr(value, "grad_fn", None) is not None:
        return True
    if _is_symbolic(value):
        return True
    return tensorflow is not None and isinstance(value, getattr(tensorflow, "Variable", ()))


def _is_symbolic(value: Any) -> bool:
    """Whether it only stands for a tensor, as in a step that was traced."""
    jax, tensorflow = loaded("jax"), loaded("tensorflow")
    if isinstance(value, keras.KerasTensor):
        return True
    if jax is not None and isinstance(value, jax.Array):
        # JAX may also have given the array's memory to the result of a step.
        return isinstance(value, jax.core.Tracer) or value.is_deleted()
    is_of_tensorflow = tensorflow is not None and isinstance(value, tensorflow.Tensor)
    return is_of_tensorflow and not hasattr(value, "numpy")


def read_by_steps(owner: Any) -> frozenset[str]:
    """The attributes that the code of a step in its class reads, and does not set itself."""
    kind: Any = type(owner)
    return _read_by_steps(kind)


@functools.cache
def _read_by_steps(kind: Any) -> frozenset[str]:
    read: set[str] = set()
    is_set: set[str] = set()
    for base in filter(_is_users_class, kind.__mro__):
        for name in _OF_STEPS & vars(base).keys():
            code = getattr(vars(base)[name], "__code__", None)
            for step in () if code is None else dis.get_instructions(code):
                if step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
                    read.add(step.argval)
                elif step.opname == "STORE_ATTR":
                    is_set.add(step.argval)
    return frozenset(read - is_set)


@functools.cache
def _of_libraries() -> frozenset[str]:
    """The names of the attributes that Keras and PyTorch set in each layer or module."""
    torch = loaded("torch")
    bare: list[Any] = [keras.layers.Layer(), keras.Model()]
    bare += [torch.nn.Module()] if torch is not None else []
    return frozenset(name for one in bare for name in vars(one))


def _is_users_class(kind: type) -> bool:
    return package_of(kind) not in _LIBRARIES


@functools.cache
def _users_names(kind: Any) -> frozenset[str]:
    """The names of attributes in the code of the user's own classes."""
    functions = [
        getattr(member, "__code__", None)
        for base in kind.__mro__
        if _is_users_class(base)
        for member in vars(base).values()
    ]
    return frozenset(name for code in functions if code is not None for name in code.co_names)
