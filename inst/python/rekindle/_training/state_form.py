"""The form of the state of a fit(): its members, and the type of each.

This is the outermost level. The parts have their forms where they are read: callbacks and their
attributes in :mod:`rekindle._training.callbacks`, values in :mod:`rekindle._codec.families`, the
place in the data in :mod:`rekindle._training.cursor_check`, random states in
:mod:`rekindle._codec.generators`. The whole form is checked before any live object is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rekindle._codec.tags import is_count
from rekindle._format.manifest import Manifest
from rekindle._training import refusals
from rekindle.errors import BrokenTreeError


class _Member(NamedTuple):
    """A member of the state.

    Attributes:
        words: What it is, for a message.
        fits: Whether a value may be this member.
        is_required: Whether each checkpoint of a fit() has it.
    """

    words: str
    fits: Callable[[Any], bool]
    is_required: bool = False


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _are_versions(values: Any) -> bool:
    return _is_object(values) and all(isinstance(value, str) for value in values.values())


def _are_objects(values: Any) -> bool:
    return _is_object(values) and all(map(_is_object, values.values()))


def _are_attempts(values: Any) -> bool:
    rows = values.get("rows") if _is_object(values) else None
    return isinstance(rows, list) and all(map(_is_object, rows))


def _is_place(value: Any) -> bool:
    return value is None or (_is_object(value) and value.keys() >= {"place", "dataset"})


_ABSENT = object()
_OBJECT = "an object"
_MEMBERS: Mapping[str, _Member] = {
    "attempts": _Member("an object with a list of objects as `rows`", _are_attempts),
    "callbacks": _Member("an object for each callback", _are_objects, True),
    "calls_before": _Member("a count", is_count),
    "data": _Member("the place in the data, or null", _is_place, True),
    "evidence": _Member(_OBJECT, _is_object),
    "extra": _Member(_OBJECT, _is_object, True),
    "fingerprint": _Member(_OBJECT, _is_object),
    "history": _Member(_OBJECT, _is_object, True),
    "initial_epoch": _Member("a count", is_count),
    "logs": _Member(_OBJECT, _is_object, True),
    "lost": _Member("a list of texts", _are_texts),
    "notes": _Member("a list of texts", _are_texts),
    "own": _Member("an object for each part", _are_objects),
    "random": _Member(_OBJECT, _is_object, True),
    "schedule": _Member(_OBJECT, _is_object),
    "stop_training": _Member("true or false", _is_flag),
    "versions": _Member("a text for each library", _are_versions),
}


def check(directory: str, manifest: Manifest) -> None:
    """Checks the outermost level of the state in a checkpoint.

    Raises:
        MismatchError: The checkpoint is not of a fit().
        BrokenTreeError: A member is missing, or of another type.
    """
    if manifest.position.epoch is None:
        raise refusals.no_fit(directory)
    for name, member in _MEMBERS.items():
        value = manifest.state.get(name, _ABSENT)
        is_absent = value is _ABSENT
        if not (member.fits(value) if not is_absent else not member.is_required):
            found = "nothing" if is_absent else f"a {type(value).__name__}"
            raise BrokenTreeError(f"the state's {name!r}: expected {member.words}, found {found}")
