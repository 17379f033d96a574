"""A folder of this machine in front of an object store: a commit is local, and is sent behind it.

Training waits for the disk alone. A run that resumes takes what is newer, the folder or the store:
the folder, if this machine was the last to write, and the store, if another machine was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager

from rekindle._format import layout
from rekindle._storage import os_errors
from rekindle._storage.cached import contents
from rekindle._storage.cached.contents import Contents
from rekindle._storage.cached.mirror import Mirror
from rekindle._storage.protocol import (
    FileInPlace,
    FileStatus,
    LockStatus,
    Staging,
    Storage,
    StoredFile,
)


class CachedStorage:
    """See :class:`rekindle._storage.protocol.Storage`.

    Args:
        local: The folder.
        remote: The object store, which other machines see.
    """

    # All that a caller waits for is local.
    is_remote = False

    def __init__(self, local: Storage, remote: Storage) -> None:
        self._local = local
        self._remote = remote
        self._mirror = Mirror(local, remote)
        self._read: Storage = local

    @property
    def url(self) -> str:
        return self._remote.url

    @property
    def session(self) -> int:
        return self._remote.session

    def where(self, name: str) -> str:
        return self._remote.where(name)

    # Reading: from the folder while it is held, else from whichever was newer at the last names().

    @property
    def exists(self) -> bool:
        return self._local.exists or self._remote.exists

    def names(self) -> list[str]:
        self._read = self._local
        if not self.is_held and (not self._local.exists or self._is_behind(*self._both())):
            self._read = self._remote
        return self._read.names()

    def _is_behind(self, there: Contents, here: Contents) -> bool:
        """Whether the store has what this folder does not have, or has damaged."""
        if not there.manifests or there.age != here.age:
            return there.age > here.age
        newest = here.manifests[here.in_order[-1]]
        return not contents.is_whole(self._local, newest)

    def _both(self) -> tuple[Contents, Contents]:
        """What the store has, and what the folder has."""
        return contents.of(self._remote), contents.of(self._local)

    def status(self, name: str) -> FileStatus | None:
        return self._read.status(name)

    def read(self, name: str, at_most: int) -> bytes:
        return self._read.read(name, at_most)

    def read_part(self, name: str, start: int, length: int) -> bytes:
        return self._read.read_part(name, start, length)

    def read_ends(self, name: str, head: int, tail: int) -> tuple[bytes, bytes]:
        return self._read.read_ends(name, head, tail)

    def open(self, name: str) -> AbstractContextManager[StoredFile]:
        return self._read.open(name)

    def readers(self, size: int) -> int:
        return self._read.readers(size)

    def free_bytes(self) -> int | None:
        return self._local.free_bytes()

    # Writing

    def write_pack(self, name: str, size: int, chunks: Iterable[memoryview]) -> None:
        self._local.write_pack(name, size, chunks)

    def stage(self, name: str) -> Staging:
        return _CachedStaging(self._local.stage(name), self._mirror)

    def put_hint(self, name: str, data: bytes) -> None:
        self._local.put_hint(name, data)
        self._remote.put_hint(name, data)

    def write_in_place(self, name: str) -> FileInPlace | None:
        here = self._local.write_in_place(name)
        if here is None:
            return None
        self._remote.put_hint(name, self._local.read(name, layout.MAX_STATE_BYTES))
        there = self._remote.write_in_place(name)
        return here if there is None else _Both(here, there)

    def remove(self, name: str) -> None:
        if not self._mirror.postpones(name):
            self._local.remove(name)
        self._mirror.removed(name)

    def discard(self, name: str) -> None:
        if not self._mirror.postpones(name):
            self._local.discard(name)
        self._mirror.removed(name)

    def retire(self, name: str) -> None:
        if not self._mirror.postpones(name):
            self._local.retire(name)
        self._mirror.removed(name)

    def quarantine(self, name: str) -> str:
        return self._local.quarantine(name)

    def sync(self) -> None:
        self._local.sync()

    def read_back(self, names: Collection[str], stop: Callable[[], bool]) -> None:
        self._local.read_back(names, stop)

    # One writer: the store decides, and the folder has a lock of its own.

    def hold(self) -> bool:
        if self.is_held:
            return False
        self._remote.hold()
        try:
            self._local.hold()
            try:
                there, here = self._both()
                if self._is_behind(there, here):
                    self._pull(there, here)
                self._mirror.begin(there)
            except BaseException:
                self._local.release()
                raise
        except BaseException:
            self._remote.release()
            raise
        self._read = self._local
        return True

    def _pull(self, there: Contents, here: Contents) -> None:
        """Makes the checkpoints of the folder those of the store.

        If this is interrupted, the store is still the newer one, and the next run copies again.
        """
        copied: set[str] = set()
        for name in there.in_order:
            manifest, text = there.manifests[name], there.texts[name]
            if here.texts.get(name) == text and contents.is_whole(self._local, manifest):
                continue
            for pack in manifest.packs.keys() - copied:
                self._local.remove(pack)
                with self._remote.open(pack) as file:
                    chunks = contents.pieces(file, 0, file.size)
                    self._local.write_pack(pack, file.size, chunks)
                copied.add(pack)
            staging = self._local.stage(name)
            staging.write(text)
            staging.publish()
            staging.acknowledge()
        for name in here.texts.keys() - there.texts.keys():
            self._local.remove(name)
        for name in (layout.STATE, layout.WITNESS):
            if name in there.names:
                self._local.put_hint(name, self._remote.read(name, layout.MAX_STATE_BYTES))

    @property
    def is_held(self) -> bool:
        return self._remote.is_held and self._local.is_held

    def release(self) -> None:
        if self.is_held:
            self._mirror.finish()
        self._remote.release()
        self._local.release()

    def withdraw(self) -> None:
        self._mirror.finish()
        self._remote.withdraw()
        self._local.withdraw()

    def unmake(self) -> None:
        self._mirror.clear()
        self._remote.unmake()
        self._local.unmake()

    def probe(self) -> LockStatus:
        return self._remote.probe()

    def has_own_lock(self) -> bool:
        return self._read.has_own_lock()

    def refuse_others(self, also: Collection[str] = ()) -> None:
        self._local.refuse_others(also)

    @property
    def trouble(self) -> str | None:
        error = self._mirror.error
        if error is None:
            return None
        return (
            f"The newest checkpoint is in the folder {self._local.url!r} alone: it could not be"
            f" sent to {self.url!r} ({os_errors.reason(error)}). rekindle sends it when that works"
            " again, or when the script runs again on this machine."
        )


class _CachedStaging:
    """A staged file of the folder, which is sent to the store when it is durable."""

    def __init__(self, inner: Staging, mirror: Mirror) -> None:
        self._inner = inner
        self._mirror = mirror

    @property
    def may_be_published(self) -> bool:
        return self._inner.may_be_published

    def write(self, data: bytes) -> None:
        self._inner.write(data)

    def publish(self) -> None:
        self._inner.publish()

    def acknowledge(self) -> None:
        self._inner.acknowledge()
        self._mirror.notify()

    def abandon(self) -> None:
        self._inner.abandon()


class _Both:
    """A file of the folder and of the store, for writes in place."""

    def __init__(self, here: FileInPlace, there: FileInPlace) -> None:
        self._here = here
        self._there = there

    def write(self, offset: int, data: bytes) -> None:
        self._here.write(offset, data)
        self._there.write(offset, data)

    def close(self) -> None:
        self._here.close()
        self._there.close()
