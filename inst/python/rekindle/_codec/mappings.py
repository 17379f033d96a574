"""Dicts of other classes: a checkpoint holds their items, and a restore keeps the class."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Mapping
from typing import Any

# Libraries put such a wrapper around a dict when it becomes an attribute.
_WRAPPERS = ("TrackedDict", "_DictWrapper")


def comes_back(value: Any, *, is_inside: bool = False) -> bool:
    """Whether a restore gives each dict in the value the class that it has now.

    The class of a dict is not saved. A restore takes it from the value that it replaces, and a dict
    inside of another value has none.
    """
    if isinstance(value, Mapping):
        known = (dict, Counter) if is_inside else (dict, Counter, defaultdict, OrderedDict)
        is_known = type(value) in known or type(value).__name__ in _WRAPPERS
        return is_known and all(comes_back(item, is_inside=True) for item in value.values())
    if type(value) in (list, tuple):
        return all(comes_back(item, is_inside=True) for item in value)
    return True


def like(value: Any, current: Any) -> Any:
    """The items of a restored dict, in a dict of the class of the value that it replaces."""
    if type(value) is not dict:
        return value
    if type(current) is defaultdict:
        return defaultdict(current.default_factory, value)
    return OrderedDict(value) if type(current) is OrderedDict else value
