"""Restores a saved tree into a tree of live objects.

rekindle walks both trees side by side, in two steps. It first compares everything and changes
nothing. It then restores everything. A checkpoint that does not fit leaves the objects unchanged.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._codec import families, kinds, older, tree
from rekindle._codec.capture import PLAIN, Capture, values_in
from rekindle._codec.containers import Container, fill, is_wrapper, like, open_container
from rekindle._codec.group import Group
from rekindle._codec.leaves import is_leaf
from rekindle._codec.matching import Matching, Put, keep, nothing
from rekindle._codec.owners import ExtraState, Owners, is_unbuilt, without_compiled
from rekindle._codec.saved_value import array_of, container_kind
from rekindle._codec.state_dicts import StateDicts
from rekindle._codec.tags import items_of, tagged
from rekindle._frameworks import table as frameworks
from rekindle._frameworks.keras import is_optimizer


class Restore(Matching):
    """A checkpoint, and the live objects that it is restored into.

    Args:
        arrays: The arrays of the checkpoint.
        root: The live tree.
        live_only: Whether the state of an object needs a live object to go to. By default, its
            parts become a dict.

    Attributes:
        unmatched: Places of live values that have no value in the checkpoint.
        unconsumed: Places in the checkpoint that have no live value.
        states: States that the objects restore by themselves, before everything else.
    """

    def __init__(
        self, arrays: Mapping[str, AnyArray], root: Any = None, *, live_only: bool = False
    ) -> None:
        super().__init__(arrays, live_only=live_only)
        self.unmatched: list[str] = []
        self.unconsumed: list[str] = []
        self.states = StateDicts()
        self._root = root
        self._made: Owners | None = None

    def one(self, live: Any, saved: Any, place: str, *, must_fit: bool = False) -> Put:
        """Compares one value that training may have changed in any way, and changes nothing.

        What fits goes into the live arrays, containers and objects. All else is made anew, unless
        the whole value `must_fit`.
        """
        self._root, self._made = live, None
        self._reading = tree.Reading(self.arrays, live_only=self._live_only)
        if must_fit:
            return self.match(live, saved, place)
        return self._fill(live, saved, place)

    @property
    def _owners(self) -> Owners:
        if self._made is None:
            self._made = Owners(values_in(self._root))
        return self._made

    def match(self, live: Any, saved: Any, place: str) -> Put:
        """Compares both values, and changes nothing. The returned function restores the value."""
        if isinstance(live, Group):
            return self._match_group(live, saved, place)
        if isinstance(live, np.generic) or frameworks.framework(live) is not None:
            return self._match_array(live, saved, place)
        if isinstance(live, enum.Enum):
            return self._match_member(live, saved, place)
        if isinstance(live, PLAIN):
            return self._match_plain(live, saved, place)
        kind, content = tagged(saved)
        if kind == "variables" and isinstance(content, dict):
            self._owners.build(live, content)
        variables = self._owners.variables(live, place)
        if variables is not None:
            return self._match_variables(live, variables, saved, place)
        stateful_kind = kinds.kind_of(live)
        if stateful_kind is not None:
            return self._match_stateful(live, stateful_kind, saved, place)
        opened = open_container(live)
        if opened is not None and opened.kind != "frozenset":
            return self._match_container(live, opened, saved, place)
        return self._match_plain(live, saved, place)

    def _match_group(self, live: Group, saved: Any, place: str) -> Put:
        if not isinstance(saved, dict) or tagged(saved)[0] is not None:
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

    def _match_variables(
        self, live: Any, variables: Mapping[str, Any], saved: Any, place: str
    ) -> Put:
        variables, saved = older.as_variables(live, variables, saved)
        kind, content = tagged(saved)
        if kind != "variables" or not isinstance(content, dict):
            return self._differs(place, f"the variables of a {type(live).__name__}", saved)
        # Earlier versions kept the names that a compiled module of PyTorch gives its tensors.
        content = {without_compiled(name): one for name, one in content.items()}
        if self._live_only and is_optimizer(live) and len(content) == len(variables):
            # Its slots are named after layers, which a second model of a process names otherwise.
            content = dict(zip(variables, content.values(), strict=True))
        # An object that is not built may have a few variables: an optimizer has its counter.
        if is_unbuilt(live) and any(name not in variables for name in content):
            self.differences.append(
                f"{place}: expected the {len(content)} variables that were saved, found a"
                f" {type(live).__name__} that is not built yet. Build it first: a model or a layer"
                " by calling it on data, an optimizer by `optimizer.build(trainable_variables)`"
            )
            return nothing
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
        kind, content = tagged(saved)
        if kind != "object" or not isinstance(content, list) or content[0] != expected:
            return self._differs(place, f"the state of {kinds.described(live)}", saved)
        if self._one_of_its_own(live, saved, place) is None:
            return nothing
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
            return self._match_whole(live, opened, saved, place)
        own = self._one_of_its_own(live, saved, place) if opened.in_place else live
        return self._match_parts(own, parts, place)

    def _match_whole(self, live: Any, opened: Container, saved: Any, place: str) -> Put:
        known = len(self.differences)
        put = self._fill(live, saved, place)
        if opened.parts and len(self.differences) == known:
            now = families.of(Capture(plain=True).take(live, place), {})
            line = families.difference(now, families.of(saved, self.arrays), place)
            self.differences += [] if line is None else [line]
        return put

    def _match_parts(self, live: Any, parts: Mapping[Any, Any], place: str) -> Put:
        opened: Any = open_container(live)
        puts: list[Put] = []
        for key, part in zip(opened.keys, opened.parts, strict=True):
            where = f"{place}/{key}"
            if key in parts:
                puts.append(self.match(part, parts[key], where))
            else:
                self.unmatched.append(where)
                puts.append(keep(part))
        known = set(opened.keys)
        self.unconsumed += [f"{place}/{key}" for key in parts if key not in known]
        return lambda: opened.rebuild([one() for one in puts])

    def _saved_parts(self, opened: Container, saved: Any) -> Mapping[Any, Any] | None:
        if opened.is_dict:
            return tree.split_dict(saved, self.arrays)
        kind, content = tagged(saved)
        if opened.kind == "record":
            return content if kind == "record" and isinstance(content, dict) else None
        items = items_of(saved) if container_kind(saved) == opened.kind else None
        return None if items is None else dict(enumerate(items))

    def _is_plain(self, live: Any, saved: Any) -> bool:
        if tree.holds_arrays(saved):
            return False
        for value in values_in(live):
            opened = None if is_leaf(value) else open_container(value)
            if not is_leaf(value) and (opened is None or opened.kind == "record"):
                return False
        return True

    def _fill(self, live: Any, saved: Any, place: str, *, is_new: bool = False) -> Put:
        """Restores any saved value into the live containers: the program may hold inner ones.

        If the value `is_new`, the live containers and arrays stay as they are.
        """
        kind, content = tagged(saved)
        if kind == "new":
            return self._fill(live, content, place, is_new=True)
        has_own = frameworks.framework(live) in ("keras", "tensorflow") and hasattr(live, "assign")
        needs_live = kind == "enum" or (self._live_only and kind in ("object", "variables"))
        if has_own or needs_live or isinstance(live, enum.Enum):
            return self.match(live, saved, place)
        if (array := array_of(saved, self.arrays)) is not None:
            return self._fill_array(live, saved, array, place, is_new=is_new)
        if type(live) is bytearray and kind == "bytearray" and not is_new:
            return self._match_plain(live, saved, place)
        is_value = isinstance(live, PLAIN) or frameworks.framework(live) is not None
        opened = None if is_value else open_container(live)
        parts = None if opened is None else self._saved_parts(opened, saved)
        if opened is None or parts is None:
            return keep(self._reading.value(saved))
        if opened.kind != container_kind(saved) and (is_new or not opened.is_dict):
            return keep(self._reading.value(saved))
        if opened.kind == "record" and parts.keys() != set(opened.keys):
            return self._differs(place, f"a {type(live).__name__}", saved)
        # TensorFlow cannot save a list of its own any more whose items were removed.
        is_new = is_new or (is_wrapper(live) and not type(live).__name__.startswith("Tracked"))
        own = live
        if opened.in_place:
            own = like(live) if is_new else self._one_of_its_own(live, saved, place)
        if opened.kind in ("set", "frozenset"):
            return self._fill_set(own, opened, saved)
        return self._fill_parts(own, opened, parts, place, is_new=is_new)

    def _fill_set(self, own: Any, opened: Container, saved: Any) -> Put:
        value = self._reading.value(saved)

        def put() -> Any:
            fill(own, value)
            return own

        return put if opened.in_place else keep(value)

    def _fill_parts(
        self, own: Any, opened: Container, parts: Mapping[Any, Any], place: str, *, is_new: bool
    ) -> Put:
        here = dict(zip(opened.keys, opened.parts, strict=True))
        puts = {
            key: self._fill(here.get(key), part, f"{place}/{key}", is_new=is_new)
            for key, part in parts.items()
        }
        if opened.kind == "record":
            again: Any = open_container(own)
            return lambda: again.rebuild([puts[key]() for key in again.keys])

        def put() -> Any:
            values = {key: one() for key, one in puts.items()}
            if not opened.can_be_filled:
                return opened.rebuild(list(values.values()))
            fill(own, values.items() if opened.is_dict else values.values())
            return own

        return put
