"""Tensors and variables in a layer that Keras may not count among the model's variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from rekindle._frameworks import keras as keras_objects
from rekindle._frameworks.loaded import loaded
from rekindle._keras import own_attributes


def modules(part: Any) -> Iterator[tuple[str, Any]]:
    """The modules of PyTorch in a layer, by name; not those that are layers of Keras."""
    torch = loaded("torch")
    if torch is None or not isinstance(part, torch.nn.Module):
        return
    for name, module in part.named_modules():
        is_keras = isinstance(module, keras.layers.Layer)
        if module is not part and not is_keras and not name.endswith("_torch_params"):
            yield name, module


def tensors(part: Any) -> Iterator[tuple[str, Any]]:
    """Buffers, also those that PyTorch leaves out of a state_dict, and parameters."""
    torch = loaded("torch")
    if torch is None or not isinstance(part, torch.nn.Module):
        return
    for name, module in [("", part), *modules(part)]:
        for held in (module._buffers, module._parameters):
            for key, tensor in held.items():
                if tensor is not None:
                    yield f"{name}.{key}" if name else key, tensor


def variables(part: Any) -> Iterator[tuple[str, Any]]:
    """Variables in attributes of a layer: Keras' own, which it need not track, and TensorFlow's.

    On TensorFlow, Keras does not track the states of a stateful RNN.
    """
    kind = getattr(loaded("tensorflow"), "Variable", None)
    for name, value in vars(part).items():
        # TensorFlow keeps its own notes of tracked objects under these names.
        for key, one in () if name.startswith("_self_") else own_attributes.each(name, value):
            if keras_objects.is_seed_generator(one):
                yield f"{key}.state", one.state
                continue
            is_theirs = kind is not None and isinstance(one, kind)
            if keras_objects.is_variable(one) or (is_theirs and own_attributes.is_users(part)):
                yield key, one


def keys(value: Any) -> set[Any]:
    """What two variables or tensors have in common only if they are the same memory."""
    if keras_objects.is_variable(value):
        # On JAX, variables may share an array, which an assignment replaces.
        is_array = keras.backend.backend() == "jax"
        return {id(value)} | (set() if is_array else keys(value.value))
    is_torch = hasattr(value, "data_ptr") and value.numel()
    return {(value.data_ptr(), tuple(value.shape)) if is_torch else id(value)}
