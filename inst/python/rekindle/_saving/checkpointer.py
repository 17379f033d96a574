"""Numbered checkpoints of one source. A manager and a running ``fit()`` save through this."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rekindle._base import collector
from rekindle._format.manifest import Manifest
from rekindle._format.snapshot import LoadedCheckpoint, Snapshot
from rekindle._policy.retention import Retention
from rekindle._repository import reader
from rekindle._saving import metadata as records
from rekindle._saving import writer
from rekindle._saving.request import Request, Source
from rekindle._storage.resolve import resolve
from rekindle.errors import SaveError, SaveWarning


class Checkpointer:
    """Saves one source as numbered checkpoints, restores the newest, and applies retention.

    Args:
        source: The object to save.
        directory: The folder. An absolute path, or a URL.
        name: First part of the names of the checkpoints.
        rules: The retention rules.
        background: Whether a writer thread writes the checkpoints.
        options: The user's `storage_options`.

    Attributes:
        source, storage: The object to save, and the folder's storage.
        latest: Name of the checkpoint that was last restored, or is known to be durable.
        last_step: The step of the last save, if the caller gave one.
        pending: The request of the save that is being written.
    """

    def __init__(
        self,
        source: Source,
        directory: str,
        name: str,
        rules: Retention,
        background: bool,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.source = source
        self.storage = resolve(directory, past_cache=background, options=options)
        self._name = name
        self._background = background
        self.latest: str | None = None
        self.last_step: int | None = None
        self.pending: Request | None = None
        self._own: set[int] = set()
        self._unseen: Manifest | None = None
        self._is_ours = False
        self._writer = writer.CheckpointWriter(self.storage, name, rules, background)

    @property
    def directory(self) -> str:
        """The folder."""
        return self.storage.url

    @property
    def may_lag(self) -> bool:
        """Whether a checkpoint may take any time, beside the caller: a network lies between."""
        return self._background and self.storage.is_remote

    @property
    def newest(self) -> str | None:
        """Name of the checkpoint that a restart would restore; ``None`` if there is none.

        Raises:
            DamageError: There are checkpoints, and none is whole.
            RestoreError: The system refused to list or to read.
        """
        return self.latest or reader.newest_name(self.storage)

    @property
    def numbers(self) -> list[int]:
        """The numbers of the checkpoints under management, in the order of saving."""
        return self._writer.numbers

    @property
    def is_new(self) -> bool:
        """Whether the folder, once it is locked, has no checkpoint of this name."""
        return not self._writer.taken

    @property
    def waited(self) -> float:
        """Seconds spent waiting for saves that were still being written."""
        return self._writer.waited

    @property
    def took(self) -> float:
        """Seconds until the last checkpoint was durable; 0 before the first save."""
        return self._writer.took

    def open(self) -> None:
        """Locks the folder, and makes it if it is missing.

        Raises:
            LockError: Another manager, or run, holds the folder.
            ForeignFileError, FormatError: The folder has files that rekindle must not write beside.
            RestoreError: The system refused.
        """
        self._writer.open()

    def open_to_save(self) -> None:
        """Locks the folder once the previous checkpoint is durable.

        Raises:
            SaveError: The system refused, or the previous save failed.
            LockError, FormatError: As :meth:`open`.
            ForeignFileError: As :meth:`open`; or the folder, or a checkpoint, is another user's.
        """
        self.sync()
        if not self._is_ours:
            # No process of this user will restore from another user's folder. Refuse it at once.
            self.storage.refuse_others()
            self._is_ours = True
        self._writer.open_to_save()

    def save(
        self,
        number: int | None = None,
        *,
        step: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        evidence: Mapping[str, Any] | None = None,
        callbacks: Sequence[Callable[[str], Any]] = (),
        opened: Callable[[], Any] = lambda: None,
    ) -> str:
        """Saves the source as it is now. Returns the checkpoint's name.

        Args:
            number: The number to save under; by default the save counter.
            step: The training step.
            metadata: JSON values to show with the checkpoint.
            evidence: The same, of what a resumed loop has seen.
            callbacks: Called with the name once the checkpoint is durable.
            opened: Called once the folder is locked, before anything is saved.

        Raises:
            SaveError, LockError, ForeignFileError, FormatError: As :meth:`open_to_save`; or the
                checkpoint could not be made durable.
            ArgumentError: Something in the source cannot be saved.
        """
        self.open_to_save()
        opened()
        counter = self.source.save_counter + 1
        if number is None:
            number = counter = self._free(counter)
        beside = self._writer.record(counter).as_state(metadata or {}, evidence or {})
        snapshot = self._snapshot(step, beside)
        self._own.add(number)
        request = Request(counter, step, f"{self._name}-{number}", callbacks)
        self._writer.begin(snapshot, number)
        self.pending = request
        if not self._background:
            self.sync()
        return request.name

    def save_unmanaged(self) -> str:
        """Saves a checkpoint that no manager will ever remove. Returns its name."""
        self.sync()
        # Without the check of the owner: Checkpoint.restore() reads any folder, too.
        self._writer.open_to_save()
        number = self._free(self.source.save_counter + 1)
        self._writer.commit_unmanaged(self._snapshot(None, {}), number)
        self.source.save_counter = number
        return f"{self._name}-{number}"

    def _free(self, counter: int) -> int:
        """The number of a plain save: the counter, unless another run's checkpoint has it."""
        taken = self._writer.taken
        if counter not in taken or counter in self._own or self.source.was_restored:
            return counter
        return max(taken) + 1

    def _snapshot(self, step: int | None, beside: Mapping[str, Any]) -> Snapshot:
        taken = self.source.take()
        position = taken.position
        if position.step is None and step is not None and step >= 0:
            position = replace(position, step=step)
        return Snapshot(taken.arrays, records.versioned({**taken.state, **beside}), position)

    def sync(self) -> None:
        """Waits until every requested checkpoint is durable.

        Raises:
            SaveError: A save in the background failed. Earlier checkpoints are intact.
        """
        self._settle(wait=True)

    def poll(self, *, wait: bool = False) -> Manifest | None:
        """The checkpoint that became durable since the last call, or ``None``.

        Args:
            wait: Whether to wait for a checkpoint that is still being written.

        Raises:
            SaveError: The save failed.
        """
        self._settle(wait=wait)
        manifest, self._unseen = self._unseen, None
        return manifest

    def _settle(self, *, wait: bool) -> None:
        try:
            manifest = self._writer.outcome(wait=wait)
        except BaseException:
            # Ctrl-C ends the wait, but not the save.
            if not self._writer.is_busy:
                self.pending = None
            raise
        if manifest is None or self.pending is None:
            return
        request, self.pending = self.pending, None
        self._unseen = manifest
        self.latest = request.name
        self.source.save_counter, self.last_step = request.counter, request.step
        for callback in request.callbacks:
            callback(request.name)

    def notice(self) -> None:
        """Notes a checkpoint that became durable. If a save failed, the next save reports it."""
        if not self._writer.has_failed:
            self._settle(wait=False)

    @collector.paused()
    def restore(self) -> LoadedCheckpoint | None:
        """Locks the folder and restores its newest whole checkpoint, if it has any.

        Raises:
            ForeignFileError: The folder, or a checkpoint, is another user's. Nothing was read.
            DamageError: There are checkpoints, and none is whole.
            LockError, RestoreError, FormatError: As :meth:`open`; or a newer rekindle wrote it.
        """
        self.storage.refuse_others()
        self._is_ours = True
        self.open()
        name, save = self._writer.newest()
        if save is None:
            return None
        records.refuse_newer(self.directory, save.manifest)
        self.source.put(save)
        self.source.save_counter = records.save_counter(save.manifest)
        self.source.was_restored = True
        self.latest = f"{name}-{save.manifest.number}"
        return save

    def close(self) -> None:
        """Waits for the last save, and releases the folder. The checkpoints stay.

        Raises:
            SaveError: The last save in the background failed.
        """
        try:
            self.sync()
        finally:
            self._writer.close()

    def clear(self) -> None:
        """Removes every checkpoint of this name in the folder, and releases the folder."""
        self.sync_quietly()
        self._writer.clear()
        self.latest = None

    def sync_quietly(self) -> None:
        """Like :meth:`sync`, but warns instead of raising the error."""
        try:
            self.sync()
        except SaveError as error:
            warnings.warn(str(error), SaveWarning, stacklevel=4)
