"""Restores a saved tree into a tree of live objects.

rekindle walks both trees side by side, in two steps. It first compares everything and changes
nothing. It then restores everything. A checkpoint that does not fit leaves the objects unchanged.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._codec import kinds, tree
from rekindle._codec.aliases import Aliases, changes_in_place, twin
from rekindle._codec.capture import PLAIN, values_in
from rekindle._codec.containers import Container, open_container
from rekindle._codec.group import Group
from rekindle._codec.owners import ExtraState, Owners, is_unbuilt, without_compiled
from rekindle._codec.saved_value import array_of, described
from rekindle._codec.state_dicts import StateDicts
from rekindle._frameworks import table as frameworks
from rekindle.errors import ArgumentError

# Restores a part of the checkpoint, and returns the value that is in its place from now on.
Put = Callable[[], Any]


@dataclass
class Restore:
    """A checkpoint, and the live objects that it is restored into.

    Attributes:
        arrays: The arrays of the checkpoint.
        root: The live tree.
        unmatched: Places of live values that have no value in the checkpoint.
        unconsumed: Places in the checkpoint that have no live value.
        differences: Values that cannot be restored, one line each: place, expected, found.
        states: States that the objects restore by themselves, before everything else.
    """

    arrays: Mapping[str, AnyArray]
    root: Any
    unmatched: list[str] = field(default_factory=list)
    unconsumed: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    states: StateDicts = field(default_factory=StateDicts)

    def __post_init__(self) -> None:
        self._owners = Owners(values_in(self.root))
        self._shared = Aliases(self.arrays)

    def match(self, live: Any, saved: Any, place: str) -> Put:
        """Compares both values, and changes nothing. The returned function restores the value."""
        if isinstance(live, Group):
            return self._match_group(live, saved, place)
        if isinstance(live, np.generic) or frameworks.framework(live) is not None:
            return self._match_array(live, saved, place)
        if isinstance(live, PLAIN):
            return self._match_plain(live, saved, place)
        kind, content = tree.tagged(saved)
        if kind == "variables" and isinstance(content, dict):
            self._owners.build(live, content)
        variables = self._owners.variables(live, place)
        if variables is not None:
            return self._match_variables(live, variables, saved, place)
        stateful_kind = kinds.kind_of(live)
        if stateful_kind is not None:
            return self._match_stateful(live, stateful_kind, saved, place)
        opened = open_container(live)
        if opened is not None:
            return self._match_container(live, opened, saved, place)
        return self._match_plain(live, saved, place)

    def _match_group(self, live: Group, saved: Any, place: str) -> Put:
        if not isinstance(saved, dict) or tree.tagged(saved)[0] is not None:
            return self._differs(place, "named objects", saved)
        objects = live._group_objects()
        puts = {}
        for name, value in objects.items():
            where = f"{place}/{name}" if place else name
            if name in saved:
                puts[name] = self.match(value, saved[name], where)
            else:
                self.unmatched.append(where)
        self.unconsumed += [
            f"{place}/{name}" if place else name for name in saved if name not in objects
        ]

        def put() -> Any:
            for name, one in puts.items():
                live._group_set(name, one())
            return live

        return put

    def _match_array(self, live: Any, saved: Any, place: str) -> Put:
        array = array_of(saved, self.arrays)
        if isinstance(live, np.ma.MaskedArray):
            return self._differs(place, "a masked array, whose mask no checkpoint has", saved)
        if array is None:
            return self._differs(place, frameworks.spec(live), saved)
        if reason := frameworks.elsewhere(live):
            raise ArgumentError(
                f"A part of the checkpoint cannot be restored. {place}: {reason}. Nothing was"
                " changed.",
                argument="checkpoint",
                value=None,
            )
        if not self._fits(live, saved, array, place):
            return _nothing
        if changes_in_place(live):
            one = self._one_of_its_own(live, saved, place)
            return _nothing if one is None else lambda: frameworks.like(one, array)
        return lambda: frameworks.like(live, array)

    def _one_of_its_own(self, live: Any, saved: Any, place: str) -> Any:
        """The live object, or a copy if the object must have another value in another place."""
        earlier = self._shared.earlier(live, saved, place)
        if earlier is None or earlier[1]:
            return live
        made = twin(live)
        if made is None:
            self.differences.append(
                f"{place}: expected the value of {earlier[0]}, which is the same"
                f" {type(live).__name__}, found another one"
            )
        return made

    def _fits(self, live: Any, saved: Any, array: AnyArray, place: str) -> bool:
        if frameworks.framework(live) != "jax.key":
            fits, found = frameworks.fits(live, array), None
        else:
            kind, content = tree.tagged(saved)
            found = f"a key of {content[0]!r}" if kind == "jax.key" else None
            fits = kind == "jax.key" and content[0] == frameworks.key_impl(live)
            fits = fits and array.shape[: live.ndim] == live.shape
        if not fits:
            found = found or frameworks.spec(array)
            self.differences.append(f"{place}: expected {frameworks.spec(live)}, found {found}")
        return bool(fits)

    def _match_variables(
        self, live: Any, variables: Mapping[str, Any], saved: Any, place: str
    ) -> Put:
        kind, content = tree.tagged(saved)
        if kind != "variables" or not isinstance(content, dict):
            return self._differs(place, f"the variables of a {type(live).__name__}", saved)
        # Earlier versions kept the names that a compiled module of PyTorch gives its tensors.
        content = {without_compiled(name): one for name, one in content.items()}
        # An object that is not built may have a few variables: an optimizer has its counter.
        if is_unbuilt(live) and any(name not in variables for name in content):
            self.differences.append(
                f"{place}: expected the {len(content)} variables that were saved, found a"
                f" {type(live).__name__} that is not built yet. Build it first: a model or a layer"
                " by calling it on data, an optimizer by `optimizer.build(trainable_variables)`"
            )
            return _nothing
        puts: list[Put] = []
        for name, variable in variables.items():
            where = f"{place}/{name}"
            if name not in content:
                self.unmatched.append(where)
            elif isinstance(variable, ExtraState):
                state = tree.unflatten(content[name], self.arrays)
                self.states.add(where, live, variable.get, variable.set, state)
            else:
                puts.append(self._match_array(variable, content[name], where))
        self.unconsumed += [f"{place}/{name}" for name in content if name not in variables]

        def put() -> Any:
            for one in puts:
                one()
            return live

        return put

    def _match_stateful(self, live: Any, expected: str, saved: Any, place: str) -> Put:
        kind, content = tree.tagged(saved)
        if kind != "object" or not isinstance(content, list) or content[0] != expected:
            return self._differs(place, f"the state of {kinds.described(live)}", saved)
        if self._one_of_its_own(live, saved, place) is None:
            return _nothing
        state = tree.unflatten(content[1], self.arrays)
        lines = kinds.differences(expected, live, state)
        self.differences += [f"{place}/{line}" for line in lines]
        get = functools.partial(kinds.get_state, expected, live)
        put = functools.partial(kinds.set_state, expected, live)
        self.states.add(place, live, get, put, state)
        return lambda: live

    def _match_container(self, live: Any, opened: Container, saved: Any, place: str) -> Put:
        parts = self._saved_parts(opened, saved)
        if parts is None:
            return self._differs(place, f"a {type(live).__name__}", saved)
        # If neither side holds an array or an object, the container is one value, like a history
        # that has grown. An empty live container waits to be filled.
        if opened.can_be_filled and (not opened.parts or self._is_plain(live, saved)):
            return self._match_filled(live, saved, place)
        own = self._one_of_its_own(live, saved, place) if opened.in_place else live
        opened = opened if own is live else open_container(own) or opened
        puts: list[Put] = []
        for key, part in zip(opened.keys, opened.parts, strict=True):
            where = f"{place}/{key}"
            if key in parts:
                puts.append(self.match(part, parts[key], where))
            else:
                self.unmatched.append(where)
                puts.append(_keep(part))
        known = set(opened.keys)
        self.unconsumed += [f"{place}/{key}" for key in parts if key not in known]
        return lambda: opened.rebuild([one() for one in puts])

    def _saved_parts(self, opened: Container, saved: Any) -> Mapping[Any, Any] | None:
        kind, content = tree.tagged(saved)
        if opened.kind == "list" and isinstance(saved, list):
            return dict(enumerate(saved))
        if opened.kind == "tuple" and kind == "tuple":
            return dict(enumerate(content))
        if opened.kind == "record" and kind == "record" and isinstance(content, dict):
            return content
        if opened.kind == "dict":
            return tree.split_dict(saved, self.arrays)
        return None

    def _is_plain(self, live: Any, saved: Any) -> bool:
        if tree.holds_arrays(saved):
            return False
        return all(
            isinstance(value, PLAIN) or type(value) is tuple or isinstance(value, dict | list)
            for value in values_in(live)
        )

    def _match_filled(self, live: Any, saved: Any, place: str) -> Put:
        """Restores any saved value into the live containers: the program may hold inner ones."""
        opened = open_container(live)
        parts = None if opened is None else self._saved_parts(opened, saved)
        if opened is None or parts is None:
            return _keep(tree.unflatten(saved, self.arrays))
        own = self._one_of_its_own(live, saved, place) if opened.in_place else live
        here = dict(zip(opened.keys, opened.parts, strict=True))
        puts = {
            key: self._match_filled(here.get(key), part, f"{place}/{key}")
            for key, part in parts.items()
        }
        return lambda: _filled(own, {key: put() for key, put in puts.items()})

    def _match_plain(self, live: Any, saved: Any, place: str) -> Put:
        array = array_of(saved, self.arrays)
        if array is not None and isinstance(live, bool | int | float) and array.shape == ():
            number = array.item()
            return lambda: number
        value = tree.unflatten(saved, self.arrays)
        both = isinstance(live, int | float) and isinstance(value, int | float)
        if both or live is None or value is None or type(value) is type(live):
            return lambda: value
        return self._differs(place, f"a {type(live).__name__}", saved)

    def _differs(self, place: str, expected: str, saved: Any) -> Put:
        self.differences.append(
            f"{place}: expected {expected}, found {described(saved, self.arrays)}"
        )
        return _nothing


def _filled(container: Any, parts: Mapping[Any, Any]) -> Any:
    if isinstance(container, dict):
        container.clear()
        container.update(parts)
    elif isinstance(container, list):
        container[:] = parts.values()
    else:
        return tuple(parts.values())
    return container


def _nothing() -> None:
    """Stands for a value that does not fit. rekindle raises the differences before a restore."""


def _keep(value: Any) -> Put:
    return lambda: value
