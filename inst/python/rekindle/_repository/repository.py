"""The repository: opens a folder of checkpoints, and commits, keeps, reads and clears them."""

from __future__ import annotations

import errno
import time
import uuid
import warnings
from collections.abc import Callable, Collection

from rekindle._format import layout
from rekindle._format.manifest import Damage, Manifest
from rekindle._format.snapshot import LoadedCheckpoint, Snapshot
from rekindle._repository import index, pack, reader
from rekindle._repository.commit import Commit, Identity, PackNumbers
from rekindle._repository.garbage import GarbageCollector
from rekindle._storage import os_errors
from rekindle._storage.protocol import Storage
from rekindle.errors import (
    DamageWarning,
    ForeignFileError,
    FormatError,
    LockError,
    SaveError,
    SaveWarning,
)


def _warn(text: str, category: type[Warning]) -> None:
    warnings.warn(text, category, stacklevel=4)


class Repository:
    """One folder of checkpoints, locked from :meth:`open` to :meth:`close`.

    Args:
        storage: The folder's storage. :meth:`open` makes the folder if it does not exist.
        version: The version of rekindle, for the manifests.
        prefix: First part of the checkpoints' names.
        tell: Called with the text and the class of each warning.
    """

    def __init__(
        self,
        storage: Storage,
        version: str,
        prefix: str = layout.PREFIX,
        tell: Callable[[str, type[Warning]], None] = _warn,
    ) -> None:
        self.storage = storage
        self._tell = tell
        self.prefix = prefix
        self._version = version
        self._run = uuid.uuid4().hex
        self._garbage = GarbageCollector(storage, prefix)
        self._index = index.Index()
        self._numbers = PackNumbers()
        # Names of the packs that the last save wrote.
        self._written: list[str] = []
        # Numbers of checkpoints known to be whole. Later checkpoints may share their arrays.
        self._verified: set[int] = set()

    def open(self) -> bool:
        """Takes the lock and reads the manifests. Writes nothing but the lock file.

        Returns:
            Whether this had to be done: the folder was not locked by this object, or the folder
            had been removed.

        Raises:
            LockError: Another run holds the folder.
            ForeignFileError, FormatError: The folder holds files that rekindle must not touch.
            RestoreError: The system refused.
        """
        try:
            if not self.storage.hold():
                return False
            try:
                self._index = index.scan(self.storage, self.prefix)
            except BaseException:
                # If rekindle refuses the folder, it leaves the folder as it was.
                self.storage.withdraw()
                raise
        except (OSError, MemoryError) as error:
            what = f"The backup {self.storage.url!r} cannot be opened"
            raise os_errors.not_restored(what, self.storage.url, error) from error
        self._verified = set()
        self._garbage = GarbageCollector(self.storage, self.prefix)
        return True

    def close(self) -> None:
        """Unlocks the folder; its checkpoints stay as they are."""
        self.storage.release()

    @property
    def manifests(self) -> list[Manifest]:
        """The manifests of the checkpoints, in the order of saving."""
        return self._index.in_order()

    @property
    def numbers(self) -> list[int]:
        """The numbers of the checkpoints, in the order of saving."""
        return [manifest.number for manifest in self._index.in_order()]

    @property
    def taken(self) -> set[int]:
        """The numbers in use, including those of damaged checkpoints."""
        return {*self._index.manifests, *self._index.damaged}

    def commit(self, snapshot: Snapshot, number: int | None = None) -> Manifest:
        """Writes a checkpoint and returns when it is durable. Changes no older checkpoint.

        Args:
            snapshot: The state to save.
            number: The checkpoint's number; by default, the number after the highest. The commit
                replaces an existing checkpoint of this number in one instant.

        Raises:
            SaveError: The checkpoint could not be made durable, for whatever reason. The previous
                checkpoints still exist, and no partial file is left.
            ArgumentError: The format does not support the dtype of an array.
        """
        needed = sum(array.nbytes for array in snapshot.arrays.values())
        try:
            self.open()
            commit = self._begin(snapshot, number)
            needed = commit.bytes_needed
            return self._carry_out(commit)
        # Training must not end because the folder was removed, or because another run began in it.
        except (OSError, MemoryError, LockError, ForeignFileError, FormatError) as error:
            raise self.not_saved(error, needed) from error

    def not_saved(self, error: BaseException, needed: int) -> SaveError:
        """The error that reports a failed save, after a check of the folder's present state."""
        stands = reader.stands(self.storage, self.prefix)
        free = self.storage.free_bytes()
        return os_errors.not_saved(self.storage.url, error, needed, free, stands=stands)

    def _begin(self, snapshot: Snapshot, number: int | None) -> Commit:
        given = number
        number = self._index.next_number() if given is None else given
        if number > layout.MAX_NUMBER:
            raise OSError(errno.EOVERFLOW, f"checkpoints have numbers up to {layout.MAX_NUMBER}")
        manifest = layout.manifest_name(self.prefix, number)
        if number not in self.taken and self.storage.status(manifest) is not None:
            # The manifest appeared after our scan, or a signal interrupted us right after a commit.
            self._index = index.scan(self.storage, self.prefix)
            number = self._index.next_number() if given is None else given
        if number in self._index.damaged:
            self._quarantine_all([number])
        serial = self._index.next_serial()
        # A clock can have any time, but readers accept only times within these limits.
        now = max(-layout.LAST_TIME, min(layout.LAST_TIME, time.time()))
        identity = Identity(number, serial, self._run, now, self._version)
        return Commit(self.storage, self.prefix, identity, snapshot, self._base(), self._numbers)

    def _carry_out(self, commit: Commit) -> Manifest:
        manifest = commit.prepare()
        self._verified.discard(manifest.number)
        # The commit also removes the existing checkpoint of the same number, if there is one.
        self._garbage.removals_are_durable = False
        commit.publish()
        # From here on, readers find the new checkpoint, whether it is acknowledged or not.
        self._index.manifests[manifest.number] = manifest
        commit.acknowledge()
        self._verified.add(manifest.number)
        self._garbage.removals_are_durable = True
        self._written = commit.written
        return manifest

    def _base(self) -> Manifest | None:
        order = self._index.in_order()
        return order[-1] if order and order[-1].number in self._verified else None

    def keep(
        self,
        numbers: Collection[int],
        listed: Collection[int] | None = None,
        preserved: float | None = None,
    ) -> None:
        """Removes all other checkpoints, and the leftovers of an earlier crash.

        If the system refuses to remove files, they stay until the next call, and a
        :class:`SaveWarning` reports it.

        Args:
            numbers: The checkpoints to keep.
            listed: Those among them that the file `checkpoint` lists; by default all.
            preserved: The time of the checkpoint last preserved for good, in POSIX seconds, for
                that file.
        """
        try:
            if not self.storage.is_held:
                return
            stay = set(numbers)
            self._remove([number for number in self.numbers if number not in stay])
            self._garbage.sweep(self._index)
            listed = set(self.numbers if listed is None else listed)
            rows = [manifest for manifest in self.manifests if manifest.number in listed]
            self._garbage.write_state(rows, preserved)
        except OSError as error:
            self._warn_uncleared(error)

    def read_back(self, stop: Callable[[], bool]) -> None:
        """Prepares a quick restore of the packs that the last save wrote, if the storage can.

        Args:
            stop: Called from time to time; returns whether to stop.
        """
        self.storage.read_back(self._written, stop)

    def _remove(self, numbers: list[int]) -> None:
        self._verified.difference_update(numbers)
        self._garbage.remove_manifests(self._index, numbers)

    def newest(self) -> LoadedCheckpoint | None:
        """The newest whole checkpoint; ``None`` if there are no checkpoints.

        This method quarantines newer damaged checkpoints under names that say so, and reports each
        with a :class:`DamageWarning`. If no checkpoint is whole, it changes nothing.

        Raises:
            DamageError: There are checkpoints, and none is whole.
            RestoreError: The system refused to read.
        """
        self.open()
        damages = dict(self._index.damaged)
        for manifest in reversed(self._index.in_order()):
            try:
                arrays = pack.read(self.storage, manifest)
            except Damage as damage:
                damages[manifest.number] = str(damage)
            except (OSError, MemoryError) as error:
                what = f"Checkpoint {manifest.number} in {self.storage.url!r} cannot be read"
                raise os_errors.not_restored(what, self.storage.url, error) from error
            else:
                self._verified.add(manifest.number)
                self._quarantine(damages, manifest.number)
                return LoadedCheckpoint(manifest, arrays)
        if damages:
            lines = {f"checkpoint {n}": damages[n] for n in sorted(damages, reverse=True)}
            raise reader.all_damaged(self.storage.url, lines)
        return None

    def _quarantine(self, damages: dict[int, str], taken: int) -> None:
        catalog = self._index
        for number, damage in damages.items():
            catalog.manifests.pop(number, None)
            catalog.damaged[number] = damage
        lines = []
        for number, done in self._garbage.quarantine(catalog, sorted(damages)[::-1]).items():
            # The checkpoint that rekindle uses is whole, even if a damaged one stays.
            if not isinstance(done, OSError):
                del catalog.damaged[number]
            what = f"Checkpoint {number} in {self.storage.url!r} is damaged ({damages[number]})"
            lines.append(f"{what}. {os_errors.quarantined(done)}, and checkpoint {taken} is used.")
        # Warn only now: if warnings are errors, the first warning ends this method.
        for line in lines:
            self._tell(line, DamageWarning)

    def _quarantine_all(self, numbers: list[int]) -> None:
        for number, done in self._garbage.quarantine(self._index, numbers).items():
            if isinstance(done, OSError):
                raise done
            del self._index.damaged[number]

    def clear(self) -> None:
        """Removes every checkpoint and other file of rekindle, and unlocks the folder.

        If the folder is then empty and rekindle made it, this method removes the folder too. If the
        system refuses to remove files, they stay, and a :class:`SaveWarning` reports it.
        """
        try:
            if self.storage.is_held:
                self._remove_all()
        except OSError as error:
            self._warn_uncleared(error)
        finally:
            self.close()

    def _remove_all(self) -> None:
        # Quarantine damaged checkpoints. Otherwise the next run would find only damaged checkpoints
        # and refuse to start.
        self._quarantine_all(list(self._index.damaged))
        # Remove the newest checkpoint last, after the other removals are durable. After a crash, no
        # older checkpoint may count as the newest.
        numbers = self.numbers
        if numbers[:-1]:
            self._remove(numbers[:-1])
            self._garbage.sync()
        self._remove(numbers[-1:])
        self._garbage.sweep(self._index, to_the_last=True)
        self._garbage.remove_state()
        self._garbage.remove_witness()
        self.storage.unmake()

    def _warn_uncleared(self, error: OSError) -> None:
        self._numbers.leave(self.storage)
        self._tell(os_errors.not_removed(self.storage.url, error), SaveWarning)
