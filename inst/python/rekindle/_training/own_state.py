"""State that a trainer has beside variables, callbacks and data, in named parts.

For Keras, these are the buffers and other own state of layers, optimizers beside the model's own,
and the position in the validation data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from rekindle._base.arrays import AnyArray
from rekindle.errors import BrokenTreeError


class OwnState(Protocol):
    """A part of the state that a trainer has beside variables, callbacks and data.

    Attributes:
        lost: What the last capture found that is not restored: ``Class.attribute`` and the reason.
    """

    @property
    def lost(self) -> Mapping[str, str]: ...

    def take(self, arrays: dict[str, AnyArray]) -> dict[str, Any]:
        """Captures the part as JSON values, empty if there is none; arrays go into `arrays`."""

    def build(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        """Makes what the saved part needs and the trainer does not have yet."""

    def differences(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        """A line for each difference that rules the saved part out."""

    def check(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        """Checks the state that :meth:`put` would restore."""

    def put(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        """Restores the part, perhaps for the second time, after batches were read again.

        Args:
            saved: The part; empty if the checkpoint does not have it.
            arrays: The arrays of the checkpoint.

        Returns:
            A sentence for each piece that could not be restored.
        """


class OwnStates:
    """The own state of one trainer.

    Args:
        parts: Each part by its name in a checkpoint.
    """

    def __init__(self, parts: Mapping[str, OwnState]) -> None:
        self._parts = parts

    @property
    def lost(self) -> dict[str, str]:
        """What a resume does not restore: ``Class.attribute`` and the reason."""
        return {name: reason for part in self._parts.values() for name, reason in part.lost.items()}

    def take(self, arrays: dict[str, AnyArray]) -> dict[str, Any]:
        """Captures the parts that have state, by name."""
        taken = {name: part.take(arrays) for name, part in self._parts.items()}
        return {name: state for name, state in taken.items() if state}

    def build(self, saved: Any, arrays: Mapping[str, AnyArray]) -> None:
        """Makes what the saved parts need and the trainer does not have yet."""
        for part, state in self._pairs(saved):
            part.build(state, arrays)

    def differences(self, saved: Any, arrays: Mapping[str, AnyArray]) -> list[str]:
        """A line for each difference between the saved parts and the trainer's."""
        return [
            line for part, state in self._pairs(saved) for line in part.differences(state, arrays)
        ]

    def check(self, saved: Any, arrays: Mapping[str, AnyArray]) -> None:
        """Checks the parts that :meth:`put` would restore.

        Raises:
            BrokenTreeError: They are not captured parts.
        """
        for part, state in self._pairs(saved):
            part.check(state, arrays)

    def put(self, saved: Any, arrays: Mapping[str, AnyArray]) -> list[str]:
        """Restores the parts. Returns a sentence for each that could not be restored."""
        return [note for part, state in self._pairs(saved) for note in part.put(state, arrays)]

    def _pairs(self, saved: Any) -> Iterator[tuple[OwnState, Any]]:
        """Each part with its saved state; the state is empty where the checkpoint has none."""
        if not isinstance(saved, dict):
            raise BrokenTreeError("the own state of the trainer is not an object")
        for name, part in self._parts.items():
            state = saved.get(name, {})
            if not isinstance(state, dict):
                raise BrokenTreeError(f"the own state {name!r} of the trainer is not an object")
            yield part, state
