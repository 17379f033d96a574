"""`extra_state`: objects of the user that belong to the run, beside the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._codec import changeable, tags
from rekindle._codec.changeable import Baseline
from rekindle._codec.containers import open_container
from rekindle._codec.group import Group
from rekindle._codec.owners import has_state, is_trackable
from rekindle._codec.restore import Restore
from rekindle._frameworks import keras
from rekindle._frameworks import table as frameworks


def can_be_restored(value: Any) -> bool:
    """Whether this same object can take a state. A number or a string cannot."""
    if isinstance(value, np.ndarray) or frameworks.framework(value) is not None:
        return not isinstance(value, np.ma.MaskedArray) and changeable.is_changeable(value)
    if isinstance(value, Group) or has_state(value) or is_trackable(value):
        return True
    return changeable.is_changeable(value)


class ExtraState:
    """The user's own objects, from the beginning of a fit().

    Args:
        objects: The objects, by name.

    Attributes:
        lost: What the last capture found that is not restored, with the reason.
    """

    def __init__(self, objects: Mapping[str, Any]) -> None:
        self._objects = objects
        # A container may hold what the script has set, as attributes do.
        holders = {name: value for name, value in objects.items() if _is_holder(value)}
        self._baseline = Baseline(holders, None)
        self._holders = holders
        self.lost: dict[str, str] = {}

    def take(self, arrays: dict[str, AnyArray]) -> dict[str, Any]:
        """Captures the states by name, as JSON values."""
        self.lost = {}
        found = {}
        for name, value in self._objects.items():
            place = f"extra/{name}"
            if name in self._holders:
                saved = self._baseline.take_all(name, value, place, arrays)
            else:
                saved = changeable.take_object(value, place, arrays)
            if isinstance(saved, str):
                self.lost[f"extra_state[{name!r}]"] = saved
            else:
                found[name] = saved
        return found

    def read(self, saved: Mapping[str, Any], restore: Restore) -> list[Callable[[], Any]]:
        """Checks the states. The functions restore them, after the states of `restore`.

        Raises:
            BrokenTreeError: A state cannot be that of its object.
        """
        puts = []
        for name, value in self._objects.items():
            if name in saved:
                state, place = tags.renewed(saved[name]), f"extra_state[{name!r}]"
                if name in self._holders:
                    self._baseline.refuse(name, state, place, restore.arrays)
                    puts.append(restore.one(value, state, place))
                else:
                    puts.append(restore.one(value, state, place, must_fit=True))
        return puts

    def notes(self, saved: Mapping[str, Any]) -> list[str]:
        """A sentence for each state that has no object any more, or object that has no state."""
        return [
            f"`extra_state` no longer holds {name!r}, so its state was not used"
            for name in saved
            if name not in self._objects
        ] + [
            f"the backup has no state of extra_state[{name!r}], so it is as the script made it"
            for name in self._objects
            if name not in saved
        ]

    def needs_building(self, saved: Mapping[str, Any]) -> bool:
        """Whether an object has fewer variables than the checkpoint has for it."""
        return any(
            len(value.variables) < _count(tags.renewed(saved[name]))
            for name, value in self._objects.items()
            if name in saved and keras.is_owner(value)
        )

    def differences(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        """Why the states cannot be those of these objects, as far as this is known beforehand."""
        restore = Restore(arrays, live_only=True)
        self.read(saved, restore)
        return (
            restore.differences
            + [
                f"{place}: expected a value in the backup, found none"
                for place in restore.unmatched
            ]
            + [f"{place}: expected nothing, found a value" for place in restore.unconsumed]
        )


def _is_holder(value: Any) -> bool:
    is_array = frameworks.framework(value) is not None
    return not is_array and not has_state(value) and open_container(value) is not None


def _count(saved: Any) -> int:
    """How many variables the checkpoint has for an object."""
    kind, content = tags.tagged(saved)
    if kind == "object" and isinstance(content, list) and isinstance(content[-1], list):
        return len(content[-1])
    return len(content) if kind == "variables" else 0
