"""Numbering, saving, restoring and keeping saves of one object; the folder is the store's."""

from __future__ import annotations

from typing import Protocol

import rekindle
from rekindle import _retention
from rekindle._store import Folder, Manifest, Save, Snapshot


class Checkpointable(Protocol):
    """What the manager saves and restores."""

    def take(self) -> Snapshot:
        """The state as it is now."""

    def put(self, save: Save) -> None:
        """Brings a save's state back, or raises and changes nothing."""


class CheckpointManager:
    """Saves of one object in one folder, numbered, with the newest few kept.

    Args:
        checkpoint: What to save and restore.
        directory: The folder. An absolute path.
        max_to_keep: How many saves to keep, at least 1.
    """

    def __init__(self, checkpoint: Checkpointable, directory: str, max_to_keep: int) -> None:
        self._checkpoint = checkpoint
        self._folder = Folder(directory, rekindle.__version__)
        self._max_to_keep = max_to_keep

    @property
    def directory(self) -> str:
        """The folder."""
        return self._folder.directory

    @property
    def numbers(self) -> list[int]:
        """The numbers of the saves there are, in the order of saving."""
        return self._folder.numbers

    def open(self) -> None:
        """Takes the folder for this run; raises what :meth:`rekindle._store.Folder.open` does."""
        self._folder.open()

    def restore(self) -> Save | None:
        """Brings back the newest save that is whole: it, or ``None`` when there is none.

        Raises:
            DamageError: There are saves, and none is whole.
            MismatchError: The save does not fit.
            RestoreError: The system refused to read.
        """
        save = self._folder.newest()
        if save is not None:
            self._checkpoint.put(save)
        return save

    def save(self) -> Manifest:
        """Saves the state as it is now, durably, and only then lets older saves go.

        Raises:
            SaveError: The system refused; the saves before still stand.
        """
        manifest = self._folder.commit(self._checkpoint.take())
        self._folder.keep(_retention.newest(self._folder.numbers, self._max_to_keep))
        return manifest

    def clear(self) -> None:
        """Removes every save and lets go of the folder."""
        self._folder.clear()

    def close(self) -> None:
        """Lets go of the folder, which stays as it is."""
        self._folder.close()
