"""Giving objects their own states, which they may refuse: all of them take it, or none."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
    """The states that are to be put into objects by the objects themselves.

    What such an object makes of a state is its own affair, so nobody can tell before whether it
    will take it.
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
        """One object more.

        Args:
            place: Its place in the tree.
            live: The object.
            get: Gives its state as it is.
            put: Puts a state back.
            state: What is to be put.
        """
        self._given.append(_Given(place, live, get, put, state))

    def put(self, path: str) -> None:
        """Puts all of them back. When one is refused, the others get back what they had.

        Args:
            path: The checkpoint in words.

        Raises:
            MismatchError: An object refused its state.
        """
        undo: list[tuple[Callable[[Any], None], Any]] = []
        for one in self._given:
            undo.append((one.set, _kept(one)))
            try:
                one.set(one.state)
            # Anybody's object may raise anything.
            except Exception as error:
                for put, state in reversed(undo):
                    with contextlib.suppress(Exception):
                        put(state)
                if isinstance(error, RekindleError):
                    raise
                line = f"{one.place}: expected a state that the {type(one.live).__name__} takes,"
                line += f" found one that it refused: {error!r:.300}"
                raise MismatchError(
                    f"{path} does not fit the objects. Nothing was changed.\n{bulleted([line])}",
                    differences=[line],
                ) from error


def _kept(one: _Given) -> Any:
    state = one.get()
    torch = loaded("torch")
    if torch is not None and isinstance(one.live, torch.optim.Optimizer):
        # It puts new tensors in the place of these, which may be large, and leaves these alone.
        return state
    try:
        return copy.deepcopy(state)
    # Whatever it is that cannot be copied, it can still be tried.
    except Exception:  # noqa: BLE001
        return state
