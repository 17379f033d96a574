"""The random generators that belong to the data, and all else that making its batches changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from rekindle._codec import kinds
from rekindle._training.reach import Reach
from rekindle.errors import BrokenTreeError


class Drawn(Protocol):
    """One thing that the data draws from."""

    def take(self) -> Any:
        """Its state, as plain values and arrays; ``None`` if it cannot be read now."""

    def check(self, state: Any) -> None:
        """Checks a state that :meth:`put` would restore."""

    def put(self, state: Any) -> None:
        """Restores a state."""


class Generator:
    """A random generator of Python, NumPy or PyTorch."""

    def __init__(self, value: Any) -> None:
        self._value, self._kind = value, str(kinds.kind_of(value))

    def take(self) -> Any:
        return kinds.get_state(self._kind, self._value)

    def check(self, state: Any) -> None:
        kinds.check(self._kind, self._value, state)

    def put(self, state: Any) -> None:
        kinds.set_state(self._kind, self._value, state)


class Owned:
    """All of them, by their paths from the data.

    Args:
        found: Each by its path.
    """

    def __init__(self, found: Mapping[str, Drawn]) -> None:
        self._found = dict(found)

    @classmethod
    def of(cls, reach: Reach, more: Mapping[str, Drawn]) -> Owned:
        """What was found within reach of the data, and more that the source knows."""
        own = {
            path: value if hasattr(value, "take") else Generator(value)
            for path, value in reach.generators.items()
        }
        return cls(own | dict(more))

    def take(self) -> dict[str, Any]:
        """The state of each."""
        states = {path: one.take() for path, one in self._found.items()}
        return {path: state for path, state in states.items() if state is not None}

    def check(self, states: Any) -> None:
        """Checks states that :meth:`put` would restore.

        Raises:
            BrokenTreeError: They are not states of these generators.
        """
        if not isinstance(states, dict):
            raise BrokenTreeError("the states of the data's generators are not an object")
        for path, state in states.items():
            if path in self._found:
                self._found[path].check(state)

    def put(self, states: Mapping[str, Any]) -> None:
        """Restores the states of those that are still there."""
        for path, state in states.items():
            if path in self._found:
                self._found[path].put(state)

    def missing(self, states: Mapping[str, Any]) -> list[str]:
        """The paths of generators that the data no longer has."""
        return sorted(states.keys() - self._found.keys())


NOTHING = Owned({})
