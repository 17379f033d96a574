"""The base class of objects that hold named objects."""

from __future__ import annotations

from typing import Any


class Group:
    """Base class of objects that hold named objects, such as :class:`rekindle.Checkpoint`."""

    def _group_objects(self) -> dict[str, Any]:
        """The objects by name."""
        raise NotImplementedError

    def _group_set(self, name: str, value: Any) -> None:
        """Replaces the object of this name."""
        raise NotImplementedError
