"""The folder that saves live in: opening, committing, keeping, restoring, clearing. The only writer."""

from __future__ import annotations

import contextlib
import os
import stat
import time
import uuid
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rekindle._store import catalog as cat
from rekindle._store import format as fmt
from rekindle._store import fs, pack
from rekindle._store.commit import Commit, Identity, Snapshot
from rekindle._store.lock import Lock
from rekindle._store.manifest import Damage, Manifest
from rekindle._store.pack import AnyArray
from rekindle.errors import (
    DamageError,
    DamageWarning,
    ForeignFileError,
    RestoreError,
    SaveError,
    SaveWarning,
)

# Each attempt to open ends at once unless another run cleans up at that very moment.
_ATTEMPTS = 100


@dataclass(frozen=True)
class Save:
    """A save read back, every byte of it verified."""

    manifest: Manifest
    arrays: Mapping[str, AnyArray]


class Folder:
    """One folder of saves, held by a lock from :meth:`open` to :meth:`close`.

    Args:
        directory: The folder, made when it is not there. An absolute path.
        version: The version of rekindle, for the manifests.
        prefix: First part of the names of the saves.
    """

    def __init__(self, directory: str, version: str, prefix: str = fmt.PREFIX) -> None:
        self.directory = directory
        self.prefix = prefix
        self._version = version
        self._run = uuid.uuid4().hex
        self._lock = Lock(directory)
        self._catalog = cat.Catalog()
        # Numbers of saves whose bytes were written or verified here, so that later ones may share
        # them.
        self._verified: set[int] = set()

    def open(self) -> None:
        """Takes the lock and looks at what is there. Nothing but the lock is written.

        Raises:
            LockError: Another run holds the folder.
            ForeignFileError, FormatError: The folder holds files that rekindle must not touch.
            RestoreError: The system refused.
        """
        if self._lock.is_held:
            return
        self.close()
        try:
            self._acquire()
            try:
                self._catalog = cat.scan(self.directory, self.prefix)
            except BaseException:
                self._lock.release()
                raise
        except OSError as error:
            raise RestoreError(
                f"The backup folder {self.directory!r} cannot be opened: {error.strerror or error}."
                " Nothing was changed.",
                directory=self.directory,
                errno=error.errno,
            ) from error
        self._verified = set()

    def _acquire(self) -> None:
        for _ in range(_ATTEMPTS):
            made = _make_folder(self.directory)
            # The folder may be cleaned away by its former holder between any two of these calls.
            with contextlib.suppress(FileNotFoundError):
                if self._lock.acquire(made_folder=made):
                    return
        raise OSError(None, "it is taken and removed by other runs all the time")

    def close(self) -> None:
        """Lets go of the folder, which stays as it is."""
        with contextlib.suppress(OSError):
            self._lock.release()

    @property
    def numbers(self) -> list[int]:
        """The numbers of the saves, in the order of saving."""
        return [manifest.number for manifest in self._catalog.in_order()]

    def commit(self, snapshot: Snapshot, number: int | None = None) -> Manifest:
        """Writes a save and returns once it is durable. Nothing older is touched.

        Args:
            snapshot: What to save.
            number: The save's number; by default the one after the highest there is.

        Raises:
            SaveError: The system refused. The saves before still stand, and no partial file is
                left.
            LockError: The folder went away meanwhile, and another run has made it again.
        """
        self.open()
        number = self._catalog.next_number() if number is None else number
        serial = self._catalog.next_serial()
        identity = Identity(number, serial, self._run, time.time(), self._version)
        commit = Commit(self.directory, self.prefix, identity, snapshot, self._base())
        try:
            manifest = commit.prepare()
            commit.publish()
            # From here on the new save is what a reader finds, acknowledged or not.
            self._catalog.manifests[number] = manifest
            self._catalog.damaged.pop(number, None)
            self._verified.add(number)
            commit.acknowledge()
        except OSError as error:
            raise self._save_error(error, commit.bytes_needed) from error
        return manifest

    def _base(self) -> Manifest | None:
        order = self._catalog.in_order()
        return order[-1] if order and order[-1].number in self._verified else None

    def _save_error(self, error: OSError, needed: int) -> SaveError:
        free = fs.free_bytes(self.directory)
        room = "" if free is None else f", {_size(free)} are free"
        return SaveError(
            f"A save could not be written to {self.directory!r}: {error.strerror or error}"
            f" ({_size(needed)} needed{room}). The save before it still stands.",
            directory=self.directory,
            errno=error.errno,
            needed=needed,
            free=free,
        )

    def keep(self, numbers: Collection[int]) -> None:
        """Removes the other saves, and whatever an earlier crash left behind.

        What the system refuses to remove stays for the next time, with a :class:`SaveWarning`.
        """
        try:
            self._remove_manifests([number for number in self.numbers if number not in numbers])
            self._sweep()
            self._write_state()
        except OSError as error:
            self._warn_uncleared(error)

    def _remove_manifests(self, numbers: list[int]) -> None:
        for number in numbers:
            fs.remove(self._path(fmt.manifest_name(self.prefix, number)))
            del self._catalog.manifests[number]
            self._verified.discard(number)
        # A manifest must be gone for good before a pack of its goes: else a power cut could bring
        # back a save without its arrays.
        if numbers:
            fs.sync_folder(self.directory)

    def _sweep(self) -> None:
        """Removes temporary files, and packs of ours that no manifest names."""
        in_use = self._catalog.packs_in_use()
        pattern = fmt.pack_pattern(self.prefix)
        for name in os.listdir(self.directory):
            path = self._path(name)
            is_lost_pack = pattern.fullmatch(name) and name not in in_use and pack.is_ours(path)
            if is_lost_pack or fmt.is_temporary(name):
                fs.remove(path)

    def _write_state(self) -> None:
        if not cat.state_is_ours(self.directory):
            return
        path = self._path(fmt.STATE)
        temporary = self._path(fmt.temporary_name(fmt.STATE))
        fs.remove(temporary)
        fd = fs.create(temporary)
        with fs.closing(fd):
            # Not synced: the manifests say the same, and are right where this file is not.
            text = cat.state_text(self._catalog.in_order(), self.prefix)
            fs.write_all(fd, memoryview(text))
        fs.rename(temporary, path)

    def newest(self) -> Save | None:
        """The newest save that is whole, or ``None`` when there is no save.

        Damaged saves that are newer than it are set aside under names that say so, with a
        :class:`DamageWarning`; when none is whole, nothing is changed.

        Raises:
            DamageError: There are saves, and none is whole.
            RestoreError: The system refused to read.
        """
        self.open()
        damages = dict(self._catalog.damaged)
        for manifest in reversed(self._catalog.in_order()):
            try:
                arrays = pack.read(self.directory, manifest)
            except Damage as damage:
                damages[manifest.number] = str(damage)
            except OSError as error:
                raise RestoreError(
                    f"Save {manifest.number} in {self.directory!r} cannot be read:"
                    f" {error.strerror or error}. Nothing was changed.",
                    directory=self.directory,
                    errno=error.errno,
                ) from error
            else:
                self._verified.add(manifest.number)
                self._set_aside(damages, manifest.number)
                return Save(manifest, arrays)
        if damages:
            raise self._all_damaged(damages)
        return None

    def _all_damaged(self, damages: dict[int, str]) -> DamageError:
        lines = [f"save {number}: {damages[number]}" for number in sorted(damages, reverse=True)]
        return DamageError(
            f"No save in {self.directory!r} is whole, so training cannot be resumed from it:\n"
            + "".join(f"- {line}\n" for line in lines)
            + "Nothing was changed. To start training afresh on purpose, rename or remove that folder.",
            directory=self.directory,
            damages=lines,
        )

    def _set_aside(self, damages: dict[int, str], taken: int) -> None:
        for number in damages:
            self._catalog.manifests.pop(number, None)
            self._catalog.damaged.pop(number, None)
        if not damages:
            return
        try:
            for number in damages:
                self._rename_damaged(number)
            fs.sync_folder(self.directory)
        except OSError as error:
            # The save that was taken is whole all the same.
            self._warn_uncleared(error)
        for number in sorted(damages, reverse=True):
            warnings.warn(
                f"Save {number} in {self.directory!r} is damaged ({damages[number]}). It was set aside as"
                f" '{fmt.manifest_name(self.prefix, number)}{fmt.DAMAGED_SUFFIX}', and save {taken} is used.",
                DamageWarning,
                stacklevel=2,
            )

    def _rename_damaged(self, number: int) -> None:
        in_use = self._catalog.packs_in_use()
        pattern = fmt.pack_pattern(self.prefix)
        names = [fmt.manifest_name(self.prefix, number)]
        for name in os.listdir(self.directory):
            match = pattern.fullmatch(name)
            if match and int(match[1]) == number and name not in in_use:
                names.append(name)
        for name in names:
            target, again = name + fmt.DAMAGED_SUFFIX, 1
            while fs.exists(self._path(target)):
                again += 1
                target = f"{name}{fmt.DAMAGED_SUFFIX}-{again}"
            with contextlib.suppress(FileNotFoundError):
                fs.rename(self._path(name), self._path(target))

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
        # The newest goes last: a crash in between must never leave an older save to be taken for
        # the newest.
        numbers = self.numbers
        self._remove_manifests(numbers[:-1])
        self._remove_manifests(numbers[-1:])
        self._sweep()
        if cat.state_is_ours(self.directory):
            fs.remove(self._path(fmt.STATE))
        made_folder = self._lock.holder.made_folder
        self._lock.release(remove=True)
        if made_folder:
            # Not empty: somebody put files there, and they are not ours to remove.
            with contextlib.suppress(OSError):
                os.rmdir(self.directory)

    def _warn_uncleared(self, error: OSError) -> None:
        warnings.warn(
            f"Older files in {self.directory!r} could not be cleared away: {error.strerror or error}."
            " No save was lost; it is tried again at the next one.",
            SaveWarning,
            stacklevel=3,
        )

    def _path(self, name: str) -> str:
        return os.path.join(self.directory, name)


def _make_folder(path: str) -> bool:
    """Makes the folder and its parents, durably, where they are missing: whether it was made."""
    _refuse_planted_link(path)
    if os.path.isdir(path):
        return False
    parent = os.path.dirname(path)
    if parent != path:
        _make_folder(parent)
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
        return False
    # Else a power cut could lose the folder with every save in it.
    fs.sync_folder(parent)
    return True


def _refuse_planted_link(path: str) -> None:
    """In a folder that everybody may write to (a shared /tmp), a link of somebody else's may lead anywhere."""
    try:
        link = os.lstat(path)
        parent = os.stat(os.path.dirname(path))
    except OSError:
        return
    shared = parent.st_mode & stat.S_ISVTX and parent.st_mode & stat.S_IWOTH
    if stat.S_ISLNK(link.st_mode) and shared and link.st_uid not in (os.geteuid(), parent.st_uid):
        raise ForeignFileError(
            f"{path!r} is a link that another user made in a folder that everybody may write to."
            " Choose another folder for the backup.",
            path=path,
        )


def _size(count: int) -> str:
    if count < 10_000:
        return f"{count} bytes"
    return f"{count / 1e6:,.2f} MB" if count < 1e9 else f"{count / 1e9:,.2f} GB"
