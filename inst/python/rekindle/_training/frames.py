"""Finds, on the stack, the fit() that calls a hook, and its list of callbacks; changes that list.

Keras gives neither to its callbacks. The classes and names that belong to one library are arguments
here: each adapter gives its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import CodeType, FrameType
from typing import Any


def _frames() -> Iterator[FrameType]:
    """The frames above the function that called a function here, the innermost first."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _list_of(frame: FrameType, kind: type) -> Any:
    """The list of callbacks whose method this frame runs; ``None`` if it runs no such method."""
    owner = frame.f_locals.get("self") if "self" in frame.f_code.co_varnames else None
    is_list = isinstance(owner, kind) and isinstance(getattr(owner, "callbacks", None), list)
    return owner if is_list else None


def find_callback_list(kind: type) -> tuple[Any, CodeType | None]:
    """The list of callbacks that calls the current hook, and the code of the fit() that calls it.

    It is the `self` of a frame above. ``(None, None)`` if there is none, for example if a custom
    training loop calls the hooks.

    Args:
        kind: The library's class of such lists.
    """
    for frame in _frames():
        found = _list_of(frame, kind)
        if found is not None:
            caller = frame.f_back
            return found, caller.f_code if caller is not None else None
    return None, None


def outermost_callback_list(kind: type) -> Any:
    """The list of callbacks of the fit() that calls the current hook; it may hold other lists.

    ``None`` if there is none. The list of an outer fit() is not meant: it does not hold this list.
    """
    found: Any = None
    for frame in _frames():
        owner = _list_of(frame, kind)
        if owner is None:
            continue
        if found is None or any(one is found for one in owner.callbacks):
            found = owner
    return found


def put_back(callback_list: Any, hooks: Mapping[str, Any]) -> None:
    """Gives a list of callbacks its earlier hooks; ``None`` stands for those of its class."""
    for name, hook in hooks.items() if callback_list is not None else ():
        if hook is None:
            vars(callback_list).pop(name, None)
        else:
            setattr(callback_list, name, hook)


def is_running(callback_list: Any, code: CodeType | None) -> bool:
    """Whether a fit() with this list of callbacks is on the stack of any thread."""
    if callback_list is None or code is None:
        return False
    for top in sys._current_frames().values():
        frame: FrameType | None = top
        while frame is not None:
            if frame.f_code is code and any(
                value is callback_list for value in frame.f_locals.values()
            ):
                return True
            frame = frame.f_back
    return False


def locals_of_fit(marker: str) -> dict[str, Any] | None:
    """The variables of the fit() that calls the current hook; ``None`` if there is none.

    Take only what is needed of them: they hold the data.

    Args:
        marker: The name of a variable that only the library's fit() has.
    """
    for frame in _frames():
        if frame.f_code.co_name == "fit" and marker in frame.f_code.co_varnames:
            return frame.f_locals
    return None


def dispatch_here(callback_list: Any) -> dict[str, bool]:
    """Makes a list call batch hooks on the training thread, not beside it as Keras does on JAX.

    This sets two attributes and waits for nothing, so a signal handler can call it.

    Returns:
        The earlier values of the attributes, for :func:`dispatch_as_before`.
    """
    before = {
        name: True
        for name in ("_async_train", "_async_test")
        if getattr(callback_list, name, False)
    }
    for name in before:
        setattr(callback_list, name, False)
    return before


def dispatch_as_before(callback_list: Any, before: dict[str, bool]) -> None:
    for name, value in before.items():
        setattr(callback_list, name, value)
