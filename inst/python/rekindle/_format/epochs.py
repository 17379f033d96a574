"""The epochs that the values of a run's history belong to, as a checkpoint stores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def to_save(epoch: Sequence[int], epochs: Mapping[str, Sequence[int | None]]) -> dict[str, Any]:
    """The epochs to save: those of each metric that some epochs did not report."""
    return {name: list(own) for name, own in epochs.items() if list(own) != list(epoch)}


def saved(epoch: Sequence[int], tree: Mapping[str, Any]) -> dict[str, list[int | None]]:
    """For each metric of a saved history, the epoch of each value.

    Earlier versions did not save these epochs. If a metric then has fewer values than there are
    epochs, all its epochs are ``None``.

    Args:
        epoch: All epochs.
        tree: The history, as it was before it was saved.

    Raises:
        ValueError, TypeError, AttributeError, KeyError, OverflowError: `tree` is not a history.
    """
    told = tree.get("epochs", {})
    found: dict[str, list[int | None]] = {}
    for name, column in tree["metrics"].items():
        own = told.get(name)
        if own is None:
            own = epoch if len(column) == len(epoch) else [None] * len(column)
        if len(own) != len(column):
            raise ValueError(f"{len(own)} epochs for {len(column)} values")
        found[str(name)] = [None if one is None else int(one) for one in own]
    return found
