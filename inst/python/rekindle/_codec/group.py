"""What has named objects to be saved."""

from __future__ import annotations

from typing import Any


class Group:
    """Base of what has named objects: :class:`rekindle.Checkpoint`."""

    def _group_objects(self) -> dict[str, Any]:
        """The objects by name."""
        raise NotImplementedError

    def _group_set(self, name: str, value: Any) -> None:
        """The object of this name is another from now on."""
        raise NotImplementedError
