"""The folder that saves live in: opening, committing, keeping, restoring, clearing."""

from __future__ import annotations

import contextlib
import errno
import os
import time
import uuid
import warnings
from collections.abc import Callable, Collection

from rekindle._format import layout
from rekindle._format.manifest import Damage, Manifest
from rekindle._format.snapshot import LoadedCheckpoint, Snapshot
from rekindle._repository import index, pack, reader
from rekindle._repository.commit import Commit, Identity
from rekindle._repository.garbage import GarbageCollector
from rekindle._storage.local import directory as home
from rekindle._storage.local import fs, os_errors
from rekindle._storage.local.lock import Lock
from rekindle._storage.local.pack_file import PackFile
from rekindle.errors import (
    DamageWarning,
    ForeignFileError,
    FormatError,
    LockError,
    SaveError,
    SaveWarning,
)

# Each attempt to open ends at once unless another run cleans up at that very moment.
_ATTEMPTS = 100


def _warn(text: str, category: type[Warning]) -> None:
    warnings.warn(text, category, stacklevel=4)


class Repository:
    """One folder of saves, held by a lock from :meth:`open` to :meth:`close`.

    Args:
        directory: The folder, made when it is not there. An absolute path.
        version: The version of rekindle, for the manifests.
        prefix: First part of the names of the saves.
        tell: Told of what is to be a warning: its text and its class.
        past_cache: Whether large packs are written past the system's cache; see
        :class:`PackFile`.
    """

    def __init__(
        self,
        directory: str,
        version: str,
        prefix: str = layout.PREFIX,
        tell: Callable[[str, type[Warning]], None] = _warn,
        *,
        past_cache: bool = False,
    ) -> None:
        self.directory = directory
        self._tell = tell
        self.prefix = prefix
        self._version = version
        self._run = uuid.uuid4().hex
        self._lock = Lock(directory)
        self._past_cache = past_cache
        self._pack_file = PackFile(directory, past_cache=past_cache)
        self._garbage = GarbageCollector(directory, prefix, self._pack_file)
        self._index = index.Index()
        # Paths of the packs that the last save wrote.
        self._written: list[str] = []
        # Numbers of saves that are known to be whole: later ones may share their arrays.
        self._verified: set[int] = set()

    def open(self) -> bool:
        """Takes the lock and looks at what is there. Nothing but the lock is written.

        Returns:
            Whether that had to be done: the folder was not held, or it had been removed.

        Raises:
            LockError: Another run holds the folder.
            ForeignFileError, FormatError: The folder holds files that rekindle must not touch.
            RestoreError: The system refused.
        """
        try:
            if self._lock.is_held:
                return False
            self.close()
            self._acquire()
            try:
                self._index = index.scan(self.directory, self.prefix)
            except BaseException:
                # A folder that is refused is left as it was found.
                self._lock.release(remove=self._lock.made_file)
                raise
        except (OSError, MemoryError) as error:
            what = f"The backup folder {self.directory!r} cannot be opened"
            raise os_errors.not_restored(what, self.directory, error) from error
        self._verified = set()
        self._pack_file = PackFile(self.directory, past_cache=self._past_cache)
        self._garbage = GarbageCollector(self.directory, self.prefix, self._pack_file)
        return True

    def _acquire(self) -> None:
        for _ in range(_ATTEMPTS):
            # The folder may be cleaned away by its former holder between any two of these calls.
            with contextlib.suppress(FileNotFoundError):
                made = home.make_folder(self.directory)
                if self._lock.acquire(made_folder=made):
                    return
        raise OSError(None, "it is taken and removed by other runs all the time")

    def close(self) -> None:
        """Lets go of the folder, whose saves stay as they are."""
        with contextlib.suppress(OSError):
            # In a folder that was removed and made again, the name may be another run's.
            if self._lock.is_held:
                self._pack_file.spare.discard()
            self._lock.release()

    @property
    def manifests(self) -> list[Manifest]:
        """The saves, in the order of saving."""
        return self._index.in_order()

    @property
    def numbers(self) -> list[int]:
        """Their numbers."""
        return [manifest.number for manifest in self._index.in_order()]

    @property
    def taken(self) -> set[int]:
        """The numbers that are in use, those of damaged saves among them."""
        return {*self._index.manifests, *self._index.damaged}

    def commit(self, snapshot: Snapshot, number: int | None = None) -> Manifest:
        """Writes a save and returns once it is durable. Nothing older is touched.

        Args:
            snapshot: What to save.
            number: The save's number; by default the one after the highest there is. A save that
                has this number is replaced in the instant of the commit.

        Raises:
            SaveError: The save could not be made durable, for whatever reason. The saves before
                still stand, and no partial file is left.
            ArgumentError: An array is of a dtype that the format does not know.
        """
        needed = sum(array.nbytes for array in snapshot.arrays.values())
        try:
            self.open()
            commit = self._begin(snapshot, number)
            needed = commit.bytes_needed
            return self._carry_out(commit)
        # Training must not end because somebody removed the folder, or began another run in it.
        except (OSError, MemoryError, LockError, ForeignFileError, FormatError) as error:
            raise self.not_saved(error, needed) from error

    def not_saved(self, error: BaseException, needed: int) -> SaveError:
        """What a save that failed is reported as, after a look at the folder as it is now."""
        stands = reader.stands(self.directory, self.prefix)
        return os_errors.not_saved(self.directory, error, needed, stands=stands)

    def _begin(self, snapshot: Snapshot, number: int | None) -> Commit:
        given = number
        number = self._index.next_number() if given is None else given
        if number > layout.MAX_NUMBER:
            raise OSError(errno.EOVERFLOW, f"saves have numbers up to {layout.MAX_NUMBER}")
        known = number in self._index.manifests or number in self._index.damaged
        manifest = os.path.join(self.directory, layout.manifest_name(self.prefix, number))
        if not known and fs.exists(manifest):
            # It came in after we looked, or a signal hit us right after a commit.
            self._index = index.scan(self.directory, self.prefix)
            number = self._index.next_number() if given is None else given
        if number in self._index.damaged:
            self._set_all_aside([number])
        serial = self._index.next_serial()
        # A clock can be set to anything, and readers take no other times than these.
        now = max(-layout.LAST_TIME, min(layout.LAST_TIME, time.time()))
        identity = Identity(number, serial, self._run, now, self._version)
        base = self._base()
        return Commit(self.directory, self.prefix, identity, snapshot, base, self._pack_file)

    def _carry_out(self, commit: Commit) -> Manifest:
        manifest = commit.prepare()
        self._verified.discard(manifest.number)
        # One of the same number goes with it.
        self._garbage.removals_are_durable = False
        commit.publish()
        # From here on the new save is what a reader finds, acknowledged or not.
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
        """Removes the other saves, and whatever an earlier crash left behind.

        What the system refuses to remove stays for the next time, with a :class:`SaveWarning`.

        Args:
            numbers: The saves that stay.
            listed: Those among them that the file `checkpoint` is to list, by default all.
            preserved: The time last preserved, in POSIX seconds, for that file.
        """
        try:
            if not self._lock.is_held:
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
        """Has the system read into its cache what the last save wrote past it.

        Args:
            stop: Asked from time to time whether to end.
        """
        self._pack_file.read_back(self._written, stop)

    def _remove(self, numbers: list[int]) -> None:
        self._verified.difference_update(numbers)
        self._garbage.remove_manifests(self._index, numbers)

    def newest(self) -> LoadedCheckpoint | None:
        """The newest save that is whole, or ``None`` when there is no save.

        Damaged saves that are newer than it are set aside under names that say so, with a
        :class:`DamageWarning`; when none is whole, nothing is changed.

        Raises:
            DamageError: There are saves, and none is whole.
            RestoreError: The system refused to read.
        """
        self.open()
        damages = dict(self._index.damaged)
        for manifest in reversed(self._index.in_order()):
            try:
                arrays = pack.read(self.directory, manifest)
            except Damage as damage:
                damages[manifest.number] = str(damage)
            except (OSError, MemoryError) as error:
                what = f"Save {manifest.number} in {self.directory!r} cannot be read"
                raise os_errors.not_restored(what, self.directory, error) from error
            else:
                self._verified.add(manifest.number)
                self._set_aside(damages, manifest.number)
                return LoadedCheckpoint(manifest, arrays)
        if damages:
            lines = {f"save {n}": damages[n] for n in sorted(damages, reverse=True)}
            raise reader.all_damaged(self.directory, lines)
        return None

    def _set_aside(self, damages: dict[int, str], taken: int) -> None:
        catalog = self._index
        for number, damage in damages.items():
            catalog.manifests.pop(number, None)
            catalog.damaged[number] = damage
        lines = []
        numbers = sorted(damages, reverse=True)
        for number, done in self._garbage.set_aside(catalog, numbers).items():
            if isinstance(done, OSError):
                # The save that is taken is whole all the same.
                told = f"It could not be set aside ({os_errors.reason(done)})"
            else:
                del catalog.damaged[number]
                told = f"It was set aside as {done!r}"
            lines.append(
                f"Save {number} in {self.directory!r} is damaged ({damages[number]})."
                f" {told}, and save {taken} is used."
            )
        # Only now: where warnings are errors, the first ends all.
        for line in lines:
            self._tell(line, DamageWarning)

    def _set_all_aside(self, numbers: list[int]) -> None:
        for number, done in self._garbage.set_aside(self._index, numbers).items():
            if isinstance(done, OSError):
                raise done
            del self._index.damaged[number]

    def clear(self) -> None:
        """Removes every save and every other file of rekindle's, and lets go of the folder.

        The folder itself goes when it is then empty and rekindle made it. What the system refuses
        to remove stays, with a :class:`SaveWarning`.
        """
        try:
            if self._lock.is_held:
                self._remove_all()
        except OSError as error:
            self._warn_uncleared(error)
        finally:
            self.close()

    def _remove_all(self) -> None:
        # Else the next run would find nothing but damage, and refuse to start.
        self._set_all_aside(list(self._index.damaged))
        # The newest goes last, for good: no crash may leave an older save to be taken for it.
        numbers = self.numbers
        if numbers[:-1]:
            self._remove(numbers[:-1])
            self._garbage.sync()
        self._remove(numbers[-1:])
        self._garbage.sweep(self._index, to_the_last=True)
        self._garbage.remove_state()
        made_folder = self._lock.holder.made_folder
        self._lock.release(remove=True)
        if made_folder:
            # Not empty: somebody put files there, and they are not ours to remove.
            with contextlib.suppress(OSError):
                os.rmdir(self.directory)

    def _warn_uncleared(self, error: OSError) -> None:
        what = f"Older files in {self.directory!r} could not be cleared away"
        why = f"{os_errors.reason(error)}. No save was lost; it is tried again at the next one."
        self._tell(f"{what}: {why}", SaveWarning)
