"""The attributes of optimizers, and of users' modules and metrics, that training changes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import synalinks

from rekindle._base.arrays import AnyArray
from rekindle._base.origin import package_of
from rekindle._codec import kinds, tree
from rekindle._codec.changeable import Baseline, take_object
from rekindle._codec.restore import Restore
from rekindle._codec.tags import renewed
from rekindle._synalinks import internals
from rekindle._synalinks.counters import is_counter
from rekindle._training.attributes import Attributes
from rekindle.errors import BrokenTreeError

# Text that OMEGA itself collects: the rules for text in other attributes do not let it back.
_MEMORY = "_difficulty"

# What a program, a module or an optimizer has for Synalinks' own use.
_OF_SYNALINKS = {
    *("built", "compiled", "history", "optimizer", "reward", "stop_evaluating", "stop_predicting"),
    *("stop_training", "steps_per_execution", "inputs", "outputs", "name", "description"),
    *("population_size", "sampling_temperature", "reward_uncertainty", "mutation_programs"),
    *("crossover_programs", "kwargs", _MEMORY),
}

_DEPTH = 4


class PlainAttributes:
    """The attributes of these objects, from the beginning of a fit().

    Args:
        program: The program. Objects of Synalinks' own classes are left out, but its optimizer.
    """

    def __init__(self, program: Any) -> None:
        optimizer = getattr(program, "optimizer", None)
        users = [one for one in internals.modules(program) if _is_users(one)]
        users += [one for one in program.metrics if _is_users(one)]
        objects = [*users, *([] if optimizer is None else [optimizer])]
        self._objects = {
            f"{number}:{type(one).__name__}": one for number, one in enumerate(objects)
        }
        self._attributes = {
            name: Attributes(one, f"attributes/{name}", _may_be_state)
            for name, one in self._objects.items()
            if not kinds.has_state_dict(one)
        }
        self._memory = optimizer if hasattr(optimizer, _MEMORY) else None
        self._lost: dict[str, str] = {}

    @property
    def lost(self) -> Mapping[str, str]:
        found = dict(self._lost)
        for one in self._attributes.values():
            found |= one.lost
        return found

    def take(self, arrays: dict[str, AnyArray]) -> dict[str, Any]:
        taken: dict[str, Any] = {}
        self._lost = {}
        for name, one in self._objects.items():
            if name in self._attributes:
                attributes = self._attributes[name]
                found = attributes.flatten(attributes.take(), arrays)
            else:
                state = take_object(one, f"attributes/{name}", arrays)
                found = {} if isinstance(state, str) else {"object": state}
                if isinstance(state, str):
                    self._lost[f"{type(one).__name__}.state_dict()"] = state
            if found:
                taken.setdefault("objects", {})[name] = found
        if self._memory is not None and getattr(self._memory, _MEMORY):
            memory = _untracked(getattr(self._memory, _MEMORY))
            taken["memory"] = tree.flatten(memory, "attributes/memory", arrays)
        return taken

    def build(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        """The script has made the objects."""

    def differences(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        return []

    def check(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        self._read(saved, Restore(arrays, live_only=True))

    def put(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        restore = Restore(arrays, live_only=True)
        puts, notes = self._read(saved, restore)
        restore.states.put("The backup")
        for put in puts:
            put()
        return notes

    def _read(
        self, saved: Mapping[str, Any], restore: Restore
    ) -> tuple[list[Callable[[], Any]], list[str]]:
        objects = saved.get("objects", {})
        if not isinstance(objects, dict):
            raise BrokenTreeError("the saved attributes of the program are not an object")
        puts, notes = list(self._read_memory(saved, restore.arrays)), []
        for name, state in objects.items():
            if name not in self._objects:
                notes.append(f"{name!r:.100} is no longer in the program, so it was not restored")
            elif name in self._attributes:
                puts += self._attributes[name].read(state, restore)
            else:
                inner = renewed(state.get("object") if isinstance(state, dict) else None)
                puts.append(Baseline.fitting(self._objects[name], inner, name, restore))
        return puts, notes

    def _read_memory(
        self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]
    ) -> Iterator[Callable[[], Any]]:
        memory = tree.unflatten(saved.get("memory", {}), arrays)
        is_valid = isinstance(memory, dict) and all(
            isinstance(entry, dict) and isinstance(entry.get("rewards"), list)
            for entry in memory.values()
        )
        if not is_valid:
            raise BrokenTreeError("the hard examples of an optimizer are not an object")
        if self._memory is not None:
            yield lambda: setattr(self._memory, _MEMORY, memory)


def _untracked(value: Any) -> Any:
    """The value without the wrappers in which Synalinks tracks lists and dicts."""
    if isinstance(value, list):
        return [_untracked(item) for item in value]
    if isinstance(value, dict):
        return {key: _untracked(item) for key, item in value.items()}
    return value


def _is_users(value: Any) -> bool:
    return package_of(type(value)) != "synalinks"


def _may_be_state(_owner: Any, name: str, value: Any) -> bool:
    """Whether an attribute may be state that is saved nowhere else."""
    if name in _OF_SYNALINKS or name in _of_modules() or is_counter(name):
        return False
    if name in ("_program", "_iterations", "_tracker", "_lock") or name.startswith("__"):
        return False
    return not any(_is_saved_elsewhere(one) for one in _each(value))


def _each(value: Any, depth: int = 0) -> Iterator[Any]:
    """The value, or the values in the lists and dicts of it."""
    if isinstance(value, list | tuple | set):
        parts: Any = value
    elif isinstance(value, dict):
        parts = value.values()
    else:
        yield value
        return
    for part in parts if depth < _DEPTH else ():
        yield from _each(part, depth + 1)


def _is_saved_elsewhere(value: Any) -> bool:
    """Whether it is a part of a program, or code, or belongs to this process."""
    root = package_of(type(value))
    is_code = isinstance(value, type) or callable(value)
    return is_code or isinstance(value, synalinks.Module) or root in ("synalinks", "asyncio")


@functools.cache
def _of_modules() -> frozenset[str]:
    """The names of the attributes that Synalinks sets in each module."""
    # With a name of its own, it does not change the names that Synalinks gives to later modules.
    return frozenset(vars(synalinks.Module(name="rekindle")))
