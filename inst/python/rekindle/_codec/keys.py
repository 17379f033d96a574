"""The keys of a set or dict: which ones a save refuses, and which ones a file must not have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from rekindle.errors import BrokenTreeError, UnsupportedValueError

# Python compares a value with all others that have the same hash. The author of a file can find any
# amount of numbers with the same hash.
_MOST_ALIKE = 100


def _are_too_alike(keys: Collection[Any]) -> bool:
    """Whether a set or dict of these keys would take far longer than its size explains."""
    if len(keys) <= _MOST_ALIKE:
        return False
    return max(Counter(map(hash, keys)).values()) > _MOST_ALIKE


def refuse_alike(keys: Collection[Any], place: str) -> None:
    if _are_too_alike(keys):
        what = f"more than {_MOST_ALIKE} keys with the same hash cannot be saved"
        raise UnsupportedValueError(place, what)


def different(keys: Collection[Any]) -> Collection[Any]:
    if _are_too_alike(keys):
        raise BrokenTreeError(f"more than {_MOST_ALIKE} keys have the same hash")
    # Keys of different types can be equal, such as 1 and True. The last one would win.
    if len(set(keys)) != len(keys):
        raise BrokenTreeError("two keys are equal")
    return keys
