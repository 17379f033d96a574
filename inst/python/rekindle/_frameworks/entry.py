"""The functions that :mod:`rekindle._frameworks.table` calls on each framework of arrays."""

from __future__ import annotations

from typing import Any, Protocol

from rekindle._base.arrays import AnyArray


class Entry(Protocol):
    """A framework, as a module of this package. All functions but `kind` get only its own arrays.

    To add a framework, add a module with these functions, and a line in the table.
    """

    def kind(self, value: Any) -> str | None:
        """The kind of the array, such as ``"jax"``; ``None`` if it is not of this framework."""

    def elsewhere(self, value: Any) -> str | None:
        """Why this process alone cannot read and write the array; ``None`` when it can."""

    def at_hand(self, value: Any) -> AnyArray | None:
        """The array on the host; ``None`` if a device may still compute it, or it is not dense."""

    def to_numpy(self, value: Any) -> AnyArray:
        """The array on the host; it may share memory with `value`."""

    def spec(self, value: Any) -> str:
        """Dtype and shape in words, such as ``float32 (3, 4)``. Reads no byte of the array."""

    def fits(self, value: Any, array: AnyArray) -> bool:
        """Whether the array has the dtype of the value, and a shape that the value can have."""

    def from_numpy(self, kind: str, array: AnyArray, impl: str | None) -> Any:
        """A new array of this kind."""

    def like(self, value: Any, array: AnyArray) -> Any:
        """Puts these bytes into `value` if it can be changed in place, else into a new array."""
