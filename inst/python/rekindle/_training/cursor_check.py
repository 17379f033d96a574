"""Checks a saved position in the data: that it is valid, and that reading up to it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rekindle._base.arrays import AnyArray
from rekindle._codec import generators
from rekindle._codec.tags import is_count
from rekindle._training import random_states
from rekindle.errors import BrokenTreeError, MismatchError

# The largest number of iterators that Keras makes in an epoch, beside those that end within it.
_MADE_IN_EPOCH = 4


def check(
    place: Any, batch: int, epochs: int, batches: int | None, loaders: list[AnyArray]
) -> None:
    """Checks one position.

    Args:
        place: The position, as plain values and arrays.
        batch: How many batches of its epoch were trained.
        epochs: How many epochs this fit() has, as the script says.
        batches: How many batches an epoch has at most; ``None`` if that is not known.
        loaders: The states of the data's own generators, as they are now.

    Raises:
        MismatchError: An epoch has fewer batches than were trained.
        BrokenTreeError: This fit() cannot reach this position.
    """
    if batches is not None and batch > batches:
        raise MismatchError(
            f"An epoch of the data has {batches} batches, and the checkpoint was saved after"
            f" batch {batch} of an epoch. It is not the data that the interrupted run was"
            " trained on. Nothing was changed. To go on with shorter epochs on purpose, let the run"
            " end its epoch with the earlier data or batch size first.",
            differences=[f"data: expected at least {batch} batches in the epoch, found {batches}"],
        )
    if not isinstance(place, dict):
        raise BrokenTreeError("the position in the data is not an object")
    for name in ("live", "draws_ahead"):
        _expect(isinstance(place[name], bool), name)
    _expect(place["num_batches"] is None or is_count(place["num_batches"]), "num_batches")
    _expect(place["base"] is None or (is_count(place["base"]) and place["base"] < 2**31), "base")
    _check_counts(place, epochs)
    if batches is not None:
        # An iterator that lives on across epochs gives at most all batches of all epochs. Each
        # iterator gave a batch, or was made at the beginning or the end of an epoch.
        all_batches = batches * (epochs + 1)
        _expect(place["steps"] <= all_batches, "steps")
        _expect(place["earlier"] <= all_batches + _MADE_IN_EPOCH * (epochs + 1), "earlier")
    else:
        _expect(not place["live"], "live")
        _expect(place["earlier"] <= _MADE_IN_EPOCH * (epochs + 1), "earlier")
    random_states.check(place["random"])
    _check_loaders(place["loaders"], loaders)
    for name in ("made", "read"):
        if place[name] is not None:
            _check_birth(place[name], loaders)


def _check_counts(place: Mapping[str, Any], epochs: int) -> None:
    _expect(is_count(place["steps"]), "steps")
    validations = place.get("validations", 0)
    _expect(is_count(validations) and validations <= epochs + 1, "validations")
    _expect(is_count(place["earlier"] + 1), "earlier")
    supply = place.get("supply")
    is_pair = isinstance(supply, list) and len(supply) == 2 and all(map(is_count, supply))
    _expect(supply is None or is_pair, "supply")


def _check_birth(birth: Mapping[str, Any], loaders: list[AnyArray]) -> None:
    random_states.check(birth["process"])
    _check_loaders(birth["loaders"], loaders)


def _check_loaders(states: Any, loaders: list[AnyArray]) -> None:
    _expect(isinstance(states, list), "loaders")
    for state, live in zip(states, loaders, strict=False):
        generators.check_torch(state, live)


def _expect(is_so: bool, name: str) -> None:
    if not is_so:
        raise BrokenTreeError(f"the position in the data has an invalid {name!r}")
