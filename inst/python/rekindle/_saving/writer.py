"""Writes the checkpoints of one manager, on this thread or beside it, and applies retention."""

from __future__ import annotations

import contextlib
import functools
import time
import warnings
import weakref
from dataclasses import dataclass, replace

from rekindle._base.version import __version__
from rekindle._format.manifest import Manifest
from rekindle._format.snapshot import LoadedCheckpoint, Snapshot
from rekindle._policy import retention
from rekindle._policy.retention import Ledger, Retention
from rekindle._repository import reader
from rekindle._repository.repository import Repository
from rekindle._saving import metadata, run_report
from rekindle._saving.host_buffers import HostBuffers
from rekindle._saving.metadata import Record
from rekindle._saving.writer_thread import WriterThread
from rekindle._storage.protocol import Storage
from rekindle.errors import (
    DamageError,
    FormatError,
    RekindleWarning,
    RestoreError,
    SaveWarning,
)


@dataclass(frozen=True)
class _Saved:
    """The result of one save."""

    manifest: Manifest
    ledger: Ledger


class CheckpointWriter:
    """Writes checkpoints of one name into one folder, and keeps those that the rules keep.

    Args:
        storage: The folder's storage.
        name: First part of the names of the checkpoints.
        rules: The retention rules.
        background: Whether a writer thread writes the checkpoints.
    """

    def __init__(self, storage: Storage, name: str, rules: Retention, background: bool) -> None:
        # The repository may report on another thread, where no caller listens and R must not be
        # called.
        self._told: list[tuple[str, type[Warning]]] = []
        # The last trouble of the storage that was told.
        self._trouble: str | None = None
        self._repository = Repository(storage, __version__, name, tell=_Listener(self._told))
        self._name = name
        self._rules = rules
        self._background = background
        self._thread: WriterThread[_Saved] = WriterThread()
        self._buffers = HostBuffers()
        # Until a checkpoint is preserved, hours count from here: one second back, so that a
        # checkpoint of this same instant counts as a later one.
        self._ledger = Ledger((), time.time() - 1.0)
        self._since = 0
        # This reads the folder without the lock. The first save takes the lock.
        catalog = reader.catalogs(storage).get(name)
        manifests = [] if catalog is None else catalog.in_order()
        self._known = _serials(manifests)
        self._ledger = self._recovered(manifests)
        # A writer without references must not keep the folder locked, and a program that ends
        # without close() must not leave a recycled file in it.
        weakref.finalize(self, _let_go, self._thread, self._repository)

    @property
    def numbers(self) -> list[int]:
        """The numbers of the checkpoints under management, in the order of saving."""
        return self._ledger.numbers

    @property
    def taken(self) -> set[int]:
        """The numbers in use in the folder, by any run."""
        return self._repository.taken

    @property
    def waited(self) -> float:
        """Seconds spent waiting for saves that were still being written."""
        return self._thread.waited

    @property
    def took(self) -> float:
        """Seconds until the last checkpoint was durable; 0 before the first save."""
        return self._thread.took

    @property
    def is_busy(self) -> bool:
        """Whether a save is being written."""
        return self._thread.is_busy

    @property
    def has_failed(self) -> bool:
        """Whether a save has failed, and rekindle has not reported this yet."""
        return self._thread.has_failed

    def open(self) -> None:
        """Locks the folder. Raises the same errors as a checkpointer's `open()`."""
        if not self._repository.open():
            return
        found = self._repository.manifests
        self._refuse_newer(found)
        run_report.opened(self._repository.storage.url, self._name, found)
        # This manager knows more of its own checkpoints than it wrote into them. So it reads the
        # records only if the folder has other checkpoints.
        if _serials(found) != self._known:
            self._ledger = self._recovered(found)
            self._known = _serials(found)

    def _refuse_newer(self, manifests: list[Manifest]) -> None:
        """Refuses a folder of a newer rekindle: retention would remove checkpoints unread."""
        for manifest in manifests:
            try:
                # A damaged version is reported by a restore, which may use another checkpoint.
                with contextlib.suppress(DamageError):
                    metadata.refuse_newer(self._repository.storage.url, manifest)
            except FormatError:
                self._repository.close()
                raise

    def open_to_save(self) -> None:
        """Like :meth:`open`, but a refusal of the system is a failed save."""
        try:
            self.open()
        except RestoreError as error:
            cause = error.__cause__ or error
            raise self._repository.not_saved(cause, 0) from error

    def _recovered(self, manifests: list[Manifest]) -> Ledger:
        """The ledger of the previous manager, from the records in its checkpoints."""
        now = time.time()
        managed = [manifest for manifest in manifests if metadata.is_managed(manifest)]
        if not managed:
            return Ledger((), self._ledger.preserved)
        record = Record.of(managed[-1])
        self._since = record.since
        entries = [metadata.entry(one) for one in managed if one.serial >= record.since]
        ledger, behind = retention.recover(entries, record.preserved, record.rules, now)
        if behind:
            # The times of these checkpoints are in the future. They would look new for good.
            self._since = manifests[-1].serial + 1
            warnings.warn(
                f"The clock is {behind:.0f} seconds behind the time at which retention last"
                f" preserved a checkpoint in {self._repository.storage.url!r}. The checkpoints"
                " there are kept, and are no longer managed.",
                RekindleWarning,
                stacklevel=5,
            )
        return ledger

    def record(self, save_counter: int) -> Record:
        """The record of this manager for the next checkpoint."""
        return Record(save_counter, self._ledger.preserved, self._rules, self._since)

    def begin(self, snapshot: Snapshot, number: int) -> None:
        """Writes a checkpoint, or begins to. :meth:`outcome` reports the result.

        Raises:
            SaveError: There is no memory for a copy of the state.
        """
        if not self._background:
            self._thread.do(self._work(snapshot, number))
            return
        try:
            held = self._buffers.hold(snapshot)
        except MemoryError as error:
            needed = sum(array.nbytes for array in snapshot.arrays.values())
            raise self._repository.not_saved(error, needed) from error
        self._thread.start(self._work(held, number), then=self._repository.read_back)

    def _work(self, snapshot: Snapshot, number: int) -> functools.partial[_Saved]:
        return functools.partial(
            _save, self._repository, snapshot, number, self._ledger, self._rules
        )

    def outcome(self, *, wait: bool) -> Manifest | None:
        """The checkpoint that became durable since the last call; ``None`` if there is none.

        Args:
            wait: Whether to wait for a checkpoint that is still being written.

        Raises:
            SaveError: The save failed.
        """
        outcome = self._thread.outcome(wait=wait)
        if outcome is None:
            return None
        self._warn()
        saved, error = outcome
        if error is not None:
            raise error
        if saved is None:
            return None
        self._ledger = saved.ledger
        self._known = _serials(self._repository.manifests)
        return saved.manifest

    def commit_unmanaged(self, snapshot: Snapshot, number: int) -> None:
        """Writes a checkpoint that no manager will ever remove."""
        self._repository.commit(snapshot, number)

    def newest(self) -> tuple[str, LoadedCheckpoint | None]:
        """The newest whole checkpoint of the folder, and the name that it was saved under."""
        storage = self._repository.storage
        # This only finds out which name has the newest checkpoint. The repository deals with damage
        # under our own name.
        if reader.newest_prefix(storage) not in (None, self._name):
            found = reader.load_newest(storage)
            if found is not None:
                return found
        save = self._repository.newest()
        self._warn()
        return self._name, save

    def clear(self) -> None:
        """Removes every checkpoint of this name, and releases the folder."""
        self._thread.end()
        self._repository.clear()
        run_report.cleared(self._repository.storage.url, self._name)
        self._warn()
        self._ledger = Ledger((), self._ledger.preserved)
        self._buffers.release()

    def close(self) -> None:
        """Releases the folder. Its checkpoints stay."""
        self._thread.end()
        self._repository.close()
        self._buffers.release()
        self._warn()

    def _warn(self) -> None:
        told, self._told[:] = list(self._told), []
        trouble = self._repository.storage.trouble
        if trouble is not None and trouble != self._trouble:
            self._trouble = trouble
            told.append((trouble, SaveWarning))
        for text, category in told:
            warnings.warn(text, category, stacklevel=5)


class _Listener:
    """Keeps the warnings of the repository for the thread that may show them."""

    def __init__(self, told: list[tuple[str, type[Warning]]]) -> None:
        self._told = told

    def __call__(self, text: str, category: type[Warning]) -> None:
        self._told.append((text, category))


def _save(
    repository: Repository, snapshot: Snapshot, number: int, ledger: Ledger, rules: Retention
) -> _Saved:
    """Writes one checkpoint, and removes those that the rules drop. Knows no live object."""
    manifest = repository.commit(snapshot, number)
    # The folder, with everything in it, may have been removed and made again.
    there = set(repository.numbers)
    entries = tuple(entry for entry in ledger.entries if entry.number in there)
    grown = retention.add(replace(ledger, entries=entries), metadata.entry(manifest))
    swept, removed = retention.sweep(grown, rules)
    repository.keep(there.difference(removed), listed=swept.numbers, preserved=swept.preserved)
    return _Saved(manifest, swept)


def _serials(manifests: list[Manifest]) -> list[int]:
    return [manifest.serial for manifest in manifests]


def _let_go(worker: WriterThread[_Saved], repository: Repository) -> None:
    worker.outcome(wait=True)
    worker.end()
    repository.close()
