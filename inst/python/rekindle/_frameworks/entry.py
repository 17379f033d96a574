"""What is asked of a framework of arrays; :mod:`rekindle._frameworks.table` asks."""

from __future__ import annotations

from typing import Any, Protocol

from rekindle._base.arrays import AnyArray


class Entry(Protocol):
    """A framework, as a module of this package. Its functions are called with its own arrays.

    A new framework is a module with these functions, and a line in the table.
    """

    def kind(self, value: Any) -> str | None:
        """What the array is known as, such as ``"jax"``; ``None`` when it is none of this one's."""

    def elsewhere(self, value: Any) -> str | None:
        """Why this process alone cannot read and write the array; ``None`` when it can."""

    def to_numpy(self, value: Any) -> AnyArray:
        """The array on the host; it may share memory with `value`."""

    def spec(self, value: Any) -> str:
        """Dtype and shape in words, as ``float32 (3, 4)``, without reading a byte of it."""

    def fits(self, value: Any, array: AnyArray) -> bool:
        """Whether the array has the dtype of the value, and a shape that it can have."""

    def from_numpy(self, kind: str, array: AnyArray, impl: str | None) -> Any:
        """A new array of this kind."""

    def like(self, value: Any, array: AnyArray) -> Any:
        """What `value` becomes when given these bytes: itself where it is changed in place."""
