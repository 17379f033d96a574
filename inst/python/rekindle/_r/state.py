"""State that the host language keeps, such as R's random state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


class ExternalState:
    """State that R keeps, as an object with `state_dict()` and `load_state_dict()`.

    Args:
        take: Returns the state as it is now, as a plain value.
        put: Restores such a value.
        compare: Returns why such a value cannot be restored, one line each: place, expected, found.
            By default, any value can be restored.
    """

    # For messages: in the user's script, this is not a Python object.
    described_as = "a value of R's"

    def __init__(
        self,
        take: Callable[[], Any],
        put: Callable[[Any], None],
        compare: Callable[[Any], list[str]] | None = None,
    ) -> None:
        self._take = take
        self._put = put
        self._compare = compare

    def state_dict(self) -> dict[str, Any]:
        return {"value": _owned(self._take())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._put(state["value"])

    def state_differences(self, state: Mapping[str, Any]) -> list[str]:
        return [] if self._compare is None else list(self._compare(state["value"]))


def _owned(value: Any) -> Any:
    """The value, with its arrays in memory of our own.

    Any thread may be the last to release an array of R, and then gives it back to R. But R has only
    one thread.
    """
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: _owned(item) for key, item in value.items()}
    return [_owned(item) for item in value] if isinstance(value, list) else value
