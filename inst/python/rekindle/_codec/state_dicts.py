"""Restores the states that objects load by themselves and may refuse: all of them, or none."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rekindle._codec.kinds import failure
from rekindle._frameworks.loaded import loaded
from rekindle.errors import MismatchError, RekindleError, bulleted


@dataclass(frozen=True)
class _Given:
    place: str
    live: Any
    get: Callable[[], Any]
    set: Callable[[Any], None]
    state: Any


class StateDicts:
    """The states that objects load by themselves.

    Only the object knows how to load its state. So rekindle cannot check in advance whether the
    object will accept the state.
    """

    def __init__(self) -> None:
        self._given: list[_Given] = []

    def add(
        self,
        place: str,
        live: Any,
        get: Callable[[], Any],
        put: Callable[[Any], None],
        state: Any,
    ) -> None:
        """Adds one object.

        Args:
            place: Its place in the tree.
            live: The object.
            get: Returns its state as it is now.
            put: Loads a state into the object.
            state: The state to load.
        """
        self._given.append(_Given(place, live, get, put, state))

    def put(self, path: str) -> None:
        """Loads all states. If an object refuses its state, the others get their old states back.

        Args:
            path: The checkpoint's name in messages.

        Raises:
            MismatchError: An object refused its state.
        """
        undo: list[tuple[Callable[[Any], None], Any]] = []
        for one in self._given:
            undo.append((one.set, _kept(one)))
            try:
                one.set(one.state)
            # An object of any class may raise any error.
            except Exception as error:
                for put, state in reversed(undo):
                    with contextlib.suppress(Exception):
                        put(state)
                if isinstance(error, RekindleError):
                    raise
                who = getattr(type(one.live), "described_as", f"the {type(one.live).__name__}")
                line = f"{one.place}: expected a state that {who} takes,"
                line += f" found one that it refused: {failure(one.live, error):.300}"
                raise MismatchError(
                    f"{path} does not fit the objects. Nothing was changed.\n{bulleted([line])}",
                    differences=[line],
                ) from error


def _kept(one: _Given) -> Any:
    state = one.get()
    torch = loaded("torch")
    if torch is not None and isinstance(one.live, torch.optim.Optimizer):
        # No copy: the tensors may be large. The optimizer replaces them and never changes them.
        return state
    try:
        return copy.deepcopy(state)
    # If the state cannot be copied, the original is still worth a try.
    except Exception:  # noqa: BLE001
        return state
