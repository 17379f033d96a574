"""Saves and restores a group of named objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rekindle._codec import tags
from rekindle._codec.capture import Capture
from rekindle._codec.group import Group
from rekindle._codec.restore import Restore
from rekindle._codec.status import RestoreStatus
from rekindle._format.snapshot import LoadedCheckpoint, Snapshot
from rekindle.errors import (
    ArgumentError,
    DamageError,
    MismatchError,
    RekindleError,
    UnsupportedValueError,
    bulleted,
)

_T = TypeVar("_T")

_TREE = "checkpoint"


def capture(group: Group) -> Snapshot:
    """Captures the state as it is now. The arrays may share memory with the objects.

    Raises:
        ArgumentError: Something in the group cannot be saved.
    """
    try:
        taking = Capture(group)
        tree = taking.take(group, "")
    except UnsupportedValueError as error:
        raise ArgumentError(
            f"A part of the Checkpoint cannot be saved. {error}.",
            argument="checkpoint",
            value=None,
        ) from None
    # The lowest version that reads it right: earlier versions refuse what they do not know.
    version = tags.version(tree)
    named = {"state_version": version} if version > 1 else {}
    return Snapshot(taking.arrays, {**named, _TREE: tree})


def restore(group: Group, save: LoadedCheckpoint) -> RestoreStatus:
    """Restores a checkpoint into the objects: everything that matches, or nothing.

    Raises:
        MismatchError: The checkpoint does not fit. Nothing was changed.
        DamageError: The checkpoint is not the state of any objects. Nothing was changed.
    """
    path = f"Checkpoint {save.manifest.number}"
    saved = save.manifest.state.get(_TREE)
    if not isinstance(saved, dict):
        raise MismatchError(
            f"{path} was not saved from a Checkpoint: it has no tree of objects.",
            differences=["checkpoint: expected a tree of objects, found none"],
        )
    matching = _reading(path, lambda: Restore(save.arrays, group))
    bring_back = _reading(path, lambda: matching.match(group, saved, ""))
    if matching.differences:
        raise MismatchError(
            f"{path} does not fit the objects. Nothing was changed.\n"
            + bulleted(matching.differences),
            differences=matching.differences,
        )
    matching.states.put(path)
    bring_back()
    return RestoreStatus(path, matching.unmatched, matching.unconsumed)


class CheckpointSource:
    """Saves and restores a :class:`rekindle.Checkpoint`.

    Args:
        checkpoint: The object, a group with the attributes `save_counter` and `was_restored`.
    """

    def __init__(self, checkpoint: Any) -> None:
        self.checkpoint = checkpoint

    @property
    def save_counter(self) -> int:
        return int(self.checkpoint.save_counter)

    @save_counter.setter
    def save_counter(self, value: int) -> None:
        self.checkpoint.save_counter = value

    @property
    def was_restored(self) -> bool:
        return bool(self.checkpoint.was_restored)

    @was_restored.setter
    def was_restored(self, value: bool) -> None:
        self.checkpoint.was_restored = value

    def take(self) -> Snapshot:
        """Captures the state as it is now. The arrays may share memory with the objects."""
        return capture(self.checkpoint)

    def put(self, save: LoadedCheckpoint) -> RestoreStatus:
        """Restores a checkpoint, or raises and changes nothing."""
        return restore(self.checkpoint, save)


def _reading(path: str, read: Callable[[], _T]) -> _T:
    """Calls `read`. If the tree is malformed, the error becomes a :class:`DamageError`."""
    try:
        return read()
    except RekindleError:
        raise
    # A forged tree can meet objects of any class. Their errors cannot be listed.
    except Exception as error:
        raise DamageError(
            f"{path} cannot be read as the state of these objects: {error!r:.500}. Nothing was"
            " changed.",
            directory="",
            damages=[f"{error!r:.500}"],
        ) from error
