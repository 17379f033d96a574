"""Compares values without parts with their saved values: arrays, numbers, text and the like."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._codec import leaves, tree
from rekindle._codec.aliases import Aliases, changes_in_place, twin
from rekindle._codec.saved_value import array_of, described
from rekindle._codec.tags import tagged
from rekindle._frameworks import table as frameworks
from rekindle.errors import ArgumentError

# Restores a part of the checkpoint, and returns the value that is in its place from now on.
Put = Callable[[], Any]


class Matching:
    """Compares values, changes nothing, and returns functions that restore them.

    Args:
        arrays: The arrays of the checkpoint.
        live_only: Whether the state of an object needs a live object to go to. By default, its
            parts become a dict.

    Attributes:
        differences: Values that cannot be restored, one line each: place, expected, found.
    """

    def __init__(self, arrays: Mapping[str, AnyArray], *, live_only: bool) -> None:
        self.arrays = arrays
        self.differences: list[str] = []
        self._live_only = live_only
        self._shared = Aliases(arrays)
        self._reading = tree.Reading(arrays, live_only=live_only)

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
            return nothing
        if changes_in_place(live):
            one = self._one_of_its_own(live, saved, place)
            return nothing if one is None else lambda: frameworks.like(one, array)
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
        fits = _is_alike(live, saved, array)
        if not fits:
            kind, content = tagged(saved)
            is_key = kind == "jax.key" and frameworks.framework(live) == kind
            found = f"a key of {content[0]!r}" if is_key else frameworks.spec(array)
            self.differences.append(f"{place}: expected {frameworks.spec(live)}, found {found}")
        return fits

    def _fill_array(
        self, live: Any, saved: Any, array: AnyArray, place: str, *, is_new: bool
    ) -> Put:
        """Restores an array that training may have replaced by another one."""
        kind = frameworks.framework(live)
        of_kind = kind is not None and tagged(saved)[0] == ("array" if kind == "numpy" else kind)
        is_masked = isinstance(live, np.ma.MaskedArray)
        if of_kind and not is_masked and _is_alike(live, saved, array):
            if not changes_in_place(live):
                return lambda: frameworks.like(live, array)
            one = None if is_new else self._one_of_its_own(live, saved, place)
            if one is not None:
                return lambda: frameworks.like(one, array)
        value = self._reading.value(saved)
        if kind == "torch" and frameworks.framework(value) == "torch":
            return lambda: value.to(live.device)
        # The arrays of the checkpoint are needed again, if batches are read a second time.
        return lambda: value.copy() if isinstance(value, np.ndarray) else value

    def _match_plain(self, live: Any, saved: Any, place: str) -> Put:
        array = array_of(saved, self.arrays)
        if array is not None and isinstance(live, bool | int | float) and array.shape == ():
            number = array.item()
            return lambda: number
        if tagged(saved)[0] == "enum" or (self._live_only and is_state(saved)):
            return self._differs(place, f"a {type(live).__name__}", saved)
        value = self._reading.value(saved)
        if type(live) is bytearray and type(value) is bytearray:
            return self._match_bytes(live, saved, value, place)
        both = isinstance(live, int | float) and isinstance(value, int | float)
        if both or live is None or value is None or type(value) is type(live):
            return lambda: value
        return self._differs(place, f"a {type(live).__name__}", saved)

    def _match_bytes(self, live: bytearray, saved: Any, value: bytearray, place: str) -> Put:
        one = self._one_of_its_own(live, saved, place)

        def put() -> Any:
            one[:] = value
            return one

        return nothing if one is None else put

    def _match_member(self, live: enum.Enum, saved: Any, place: str) -> Put:
        kind, content = tagged(saved)
        if saved is None:
            return nothing
        # Earlier versions saved a member that is a number or a text as that.
        found = _member_of_value(live, saved) if kind is None else None
        if kind == "enum" and leaves.enum_name(content) == type(live).__name__:
            found = leaves.member(live, content)
        if found is None:
            return self._differs(place, f"a member of {type(live).__name__}", saved)
        return lambda: found

    def _differs(self, place: str, expected: str, saved: Any) -> Put:
        self.differences.append(
            f"{place}: expected {expected}, found {described(saved, self.arrays)}"
        )
        return nothing


def _is_alike(live: Any, saved: Any, array: AnyArray) -> bool:
    """Whether the saved array has the form of the live one."""
    if frameworks.framework(live) != "jax.key":
        return frameworks.fits(live, array)
    kind, content = tagged(saved)
    is_alike = kind == "jax.key" and content[0] == frameworks.key_impl(live)
    return bool(is_alike and array.shape[: live.ndim] == live.shape)


def is_state(saved: Any) -> bool:
    """Whether the saved value is the state of an object, which only an object can take."""
    return tagged(saved)[0] in ("object", "variables", "record")


def _member_of_value(live: enum.Enum, value: Any) -> enum.Enum | None:
    return next((one for one in type(live) if one.value == value), None)


def nothing() -> None:
    """Stands for a value that does not fit. rekindle raises the differences before a restore."""


def keep(value: Any) -> Put:
    return lambda: value
