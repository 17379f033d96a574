"""Objects that own variables: models, layers, optimizers, modules. Their variables by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rekindle._base.origin import module_of
from rekindle._codec import kinds
from rekindle._frameworks import keras
from rekindle._frameworks import table as frameworks
from rekindle._frameworks.keras import Names
from rekindle._frameworks.loaded import loaded
from rekindle.errors import UnsupportedValueError

# The attribute that holds the original of a compiled module.
_COMPILED = "_orig_mod"


class ExtraState:
    """The state that a PyTorch module keeps beside its tensors, from `get_extra_state()`."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def get(self) -> Any:
        return self._module.get_extra_state()

    def set(self, state: Any) -> None:
        self._module.set_extra_state(state)


class Owners:
    """Names the variables of all owners in one tree, together.

    Args:
        values: Every value of the tree that may be an owner.
    """

    def __init__(self, values: Iterable[Any]) -> None:
        found = {id(value): value for value in values}
        self._keras = [value for value in found.values() if keras.is_owner(value)]
        self._names: Names | None = None

    def variables(self, value: Any, place: str) -> dict[str, Any] | None:
        """The value's variables by name; ``None`` if the value owns no variables.

        Raises:
            UnsupportedValueError: The value has other state, which cannot be saved.
        """
        if keras.is_owner(value):
            return self._of_keras(value)
        if keras.is_seed_generator(value):
            return {"state": value.state}
        if _is_torch_module(value):
            return _of_torch(value)
        if is_trackable(value):
            _count_saves(value)
            return _Walk(self, place).variables(value)
        return None

    def build(self, value: Any, wanted: Iterable[str]) -> None:
        """Builds an optimizer that has no variables yet, if the checkpoint has some for it."""
        optimizer, prefix = value, ""
        if keras.is_model(value):
            optimizer, prefix = getattr(value, "optimizer", None), "optimizer/"
            if self._is_given_itself(optimizer):
                return
        if optimizer is None or not keras.is_optimizer(optimizer) or optimizer.built:
            return
        if any(name.startswith(prefix) for name in wanted):
            models = [value] if keras.is_model(value) else self._models()
            if len(models) == 1 and models[0].built:
                optimizer.build(models[0].trainable_variables)

    def _models(self) -> list[Any]:
        return [owner for owner in self._keras if keras.is_model(owner)]

    def _is_given_itself(self, value: Any) -> bool:
        return any(owner is value for owner in self._keras)

    def _of_keras(self, value: Any) -> dict[str, Any]:
        if not self._is_given_itself(value):
            # This owner was found inside of a TensorFlow object.
            names = Names([value])
        else:
            if self._names is None:
                inner = [model.optimizer for model in self._models() if has_optimizer(model)]
                self._names = Names([*self._keras, *inner])
            names = self._names
        if keras.is_optimizer(value):
            trainable = keras.trainable_of(value)
            return names.of_optimizer(value, trainable)
        keras.sync_variables(value)
        found = names.of_layer(value)
        if keras.is_model(value) and has_optimizer(value):
            optimizer = value.optimizer
            if not self._is_given_itself(optimizer):
                slots = names.of_optimizer(optimizer, value.trainable_variables)
                found |= {f"optimizer/{name}": slot for name, slot in slots.items()}
        return found


def has_state(value: Any) -> bool:
    """Whether the value is a Keras object with variables, or has a state of its own."""
    is_owner = keras.is_owner(value) or keras.is_seed_generator(value)
    return is_owner or kinds.kind_of(value) is not None


def is_unbuilt(value: Any) -> bool:
    """Whether the value is a Keras object that does not have its variables yet."""
    return keras.is_owner(value) and not (getattr(value, "built", True) and value.variables)


def has_optimizer(model: Any) -> bool:
    return getattr(model, "optimizer", None) is not None


def _is_torch_module(value: Any) -> bool:
    torch = loaded("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def _of_torch(module: Any) -> dict[str, Any]:
    """Parameters, saved buffers and extra state, under the names that `state_dict()` uses."""
    found: dict[str, Any] = {}
    for name, value in module.state_dict(keep_vars=True).items():
        plain = without_compiled(name)
        if frameworks.framework(value) is not None:
            found[plain] = value
        else:
            found[plain] = ExtraState(module.get_submodule(name.rpartition(".")[0]))
    return found


def without_compiled(name: str) -> str:
    """The name that a tensor has in a module that was not compiled.

    `torch.compile()` wraps a module, or one inside of it, and shares its tensors. So a script may
    compile a module in one run and not in another.
    """
    return ".".join(part for part in name.split(".") if part != _COMPILED)


def is_trackable(value: Any) -> bool:
    """Whether TensorFlow can list the variables of the object."""
    tf = loaded("tensorflow")
    if tf is None or isinstance(value, type):
        return False
    return isinstance(value, tf.Module | tf.train.Checkpoint) or _tracks(value)


def _count_saves(value: Any) -> None:
    """Makes a ``tf.train.Checkpoint`` create its save counter, which it creates on first use."""
    if isinstance(value, loaded("tensorflow").train.Checkpoint):
        _ = value.save_counter


def _tracks(value: Any) -> bool:
    # The base class of all objects that tf.train.Checkpoint takes has no public name.
    return any(
        module_of(cls) == "tensorflow.python.trackable.base" and cls.__name__ == "Trackable"
        for cls in type(value).__mro__
    )


class _Walk:
    """The variables within reach of a trackable object, each under its shortest path."""

    def __init__(self, owners: Owners, place: str) -> None:
        self._owners = owners
        self._place = place

    def variables(self, root: Any) -> dict[str, Any]:
        import tensorflow as tf

        view = tf.train.TrackableView(root)
        found: dict[str, Any] = {}
        seen = {id(root)}
        queue: list[tuple[str, Any]] = [("", root)]
        # Breadth first, as in TensorFlow: a path does not change when a deeper path is added.
        for path, value in queue:
            own = self._own(path, value) if path else None
            if own is not None:
                found.update(own)
                continue
            for name, child in view.children(value).items():
                if id(child) not in seen:
                    seen.add(id(child))
                    queue.append((f"{path}/{name}" if path else str(name), child))
        return found

    def _own(self, path: str, value: Any) -> Mapping[str, Any] | None:
        if frameworks.framework(value) is not None:
            return {path: value}
        if keras.is_owner(value):
            inner = self._owners.variables(value, path) or {}
            return {f"{path}/{name}": variable for name, variable in inner.items()}
        if _saves_itself(value):
            raise UnsupportedValueError(
                f"{self._place}/{path}",
                f"only TensorFlow can read the state of a {type(value).__name__!r}, so it cannot"
                " be saved",
            )
        return None


def _saves_itself(value: Any) -> bool:
    """Whether a trackable object that is not a variable has its own tensors, as a table has."""
    method = getattr(type(value), "_serialize_to_tensors", None)
    return method is not None and module_of(method) != "tensorflow.python.trackable.base"
