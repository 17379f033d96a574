"""Makes sure that a fit() has only one callback that backs up and restores.

Each such callback restores the model and sets the epoch with which fit() begins. Of two, one would
undo the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rekindle._base.origin import package_of
from rekindle._training import frames
from rekindle.errors import ArgumentError

# How messages name the callback of each library.
_LIBRARIES = {"keras": "Keras'", "tf_keras": "Keras'", "synalinks": "Synalinks'"}


def refuse_others(list_kind: type, kinds: tuple[type, ...]) -> None:
    """Refuses a fit() with more than one callback of these kinds, also in nested lists.

    Call this in a hook, before anything in the fit() has happened.

    Args:
        list_kind: The library's class of lists of callbacks.
        kinds: The classes of callbacks that back up and restore.

    Raises:
        ArgumentError: There is more than one.
    """
    outermost = frames.outermost_callback_list(list_kind)
    if outermost is not None:
        found = [callback for callback in _each(outermost) if isinstance(callback, kinds)]
        if len(found) > 1:
            refuse(found)


def refuse(found: list[Any]) -> None:
    """Raises the error that names these callbacks."""
    names = ", ".join(f"{type(one).__name__} of {str(one.backup_dir)!r}" for one in found)
    roots = {package_of(type(one)) for one in found}
    own = next((name for root, name in _LIBRARIES.items() if root in roots), None)
    advice = (
        " To have checkpoints in two places, copy the folder."
        if own is None
        else f" Remove {own} own callback. If you give rekindle its folder, rekindle resumes from"
        " its backup."
    )
    raise ArgumentError(
        f"Invalid value for argument `callbacks` of fit(). Received: {len(found)} callbacks that"
        f" back up and restore the run, {names}. Expected one: with several, each would undo the"
        f" restore of the others. Nothing was changed.{advice}",
        argument="callbacks",
        value=found,
    )


def _each(callback: Any, depth: int = 0) -> Iterator[Any]:
    """The callback, and those in it if it is a list of callbacks, as often as they occur."""
    yield callback
    inside = getattr(callback, "callbacks", None)
    # No list is nested more deeply. A list that holds itself would have no end.
    if isinstance(inside, list | tuple) and depth < 10:
        for one in inside:
            yield from _each(one, depth + 1)
