"""Compares how far a backup is with the epochs that a fit() asks for. Pure.

A script may train in stages, on one folder: ``fit(epochs=3)``, and then
``fit(initial_epoch=3, epochs=6)``. If the script runs again, its first fit() may find the backup of
its second fit().
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rekindle._format.manifest import Manifest, Position
from rekindle.errors import MismatchError


def initial_epoch(fit: Mapping[str, Any]) -> int:
    """The epoch, counted from 0, with which the script begins this fit()."""
    return int(fit.get("initial_epoch") or 0)


def began(manifest: Manifest) -> int:
    """The `initial_epoch` of the saved fit(). An older rekindle did not save it."""
    saved = manifest.state.get("initial_epoch", 0)
    return saved if isinstance(saved, int) else 0


def after_stop(epoch: int, began: int, fit: Mapping[str, Any]) -> tuple[int, bool]:
    """Where a fit() begins if its backup was stopped early, and whether this fit() is stopped, too.

    Args:
        epoch: The epoch of the backup.
        began: The `initial_epoch` of the backup's fit().
        fit: The arguments of this fit().
    """
    initial = initial_epoch(fit)
    if initial > began:
        # The previous stage was stopped.
        return max(epoch, initial), False
    # The stopped fit() was killed before it could end: no epoch is left to run.
    return max(epoch, int(fit.get("epochs") or 0)), True


def is_later(position: Position, began: int, fit: Mapping[str, Any]) -> bool:
    """Whether the backup is of a fit() that begins where this fit() ends, or later.

    Args:
        position: The position of the backup.
        began: The `initial_epoch` of the backup's fit().
        fit: The arguments of this fit().
    """
    epochs = fit.get("epochs")
    return epochs is not None and min(began, position.epoch or 0) >= epochs


def is_new(position: Position, began: int, fit: Mapping[str, Any]) -> bool:
    """Whether the backup is the end of an earlier fit() of the script, and this fit() follows it.

    Args:
        position: The position of the backup.
        began: The `initial_epoch` of the backup's fit().
        fit: The arguments of this fit().
    """
    initial = initial_epoch(fit)
    return began < initial and (position.epoch, position.batch or 0) == (initial, 0)


def refuse_ahead(directory: str, position: Position, fit: Mapping[str, Any]) -> None:
    """Refuses a backup that is ahead of the end of this fit(). A backup at the end is complete.

    Raises:
        MismatchError: The backup is ahead.
    """
    epochs = fit.get("epochs")
    epoch, batch = position.epoch or 0, position.batch or 0
    if epochs is None or (epoch, batch) <= (epochs, 0):
        return
    done = f"{epoch} epochs" + (f" and {batch} batches" if batch else "")
    raise MismatchError(
        f"The backup in {directory!r} is ahead of this fit(): it has {done}, and"
        f" `epochs` asks for {epochs} in all. Nothing was changed. To resume, set `epochs` to"
        f" {epoch + bool(batch)} or more. If a later fit() of the same script wrote the backup,"
        f" set `initial_epoch` of that one so that it begins after {epochs} epochs, or give each"
        " fit() a backup folder of its own. To start afresh, rename or remove that folder.",
        differences=[f"epochs: expected at most {epochs}, found {done} in the backup"],
    )


def skipped(directory: str, position: Position, began: int, epochs: int) -> str:
    """The message for a fit() that runs no epoch because a later fit() has begun."""
    return (
        f"This fit() is done, and runs no epoch: it ends at epoch {epochs} (counted from 0), and"
        f" the backup in {directory!r} is of a later fit(), which began at epoch {began} and has"
        f" reached epoch {position.epoch}. That fit() restores everything from the backup. Until"
        " then the model stays as the script made it."
    )
