"""A prefix of names in an object store as the storage of checkpoints."""

from __future__ import annotations

import contextlib
import errno
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from rekindle._base.places import Remote
from rekindle._format import layout
from rekindle._storage.protocol import FileInPlace, FileStatus, LockStatus, Staging, StoredFile
from rekindle._storage.remote import lease_text
from rekindle._storage.remote.behind import Behind
from rekindle._storage.remote.lease import Lease
from rekindle._storage.remote.objects import SMALL, Chunks, Objects
from rekindle._storage.remote.reading import RemoteFile
from rekindle._storage.remote.refusals import is_certain
from rekindle._storage.remote.staging import RemoteStaging
from rekindle._storage.remote.watch import is_left, lives

# Streams at the same time, to read, and the bytes for which another one is worth its requests. A
# store serves each at the same speed, however many processors there are here.
_READERS, _SHARE = 8, 32 << 20

# Larger objects are not written in place.
_MOST_IN_PLACE = 1 << 20


class RemoteStorage:
    """See :class:`rekindle._storage.protocol.Storage`.

    Args:
        place: The prefix.
        options: The user's `storage_options`.
    """

    is_remote = True
    trouble = None

    def __init__(self, place: Remote, options: Mapping[str, Any]) -> None:
        self._place = place
        self._objects = Objects(place, options)
        self._lease = Lease(self._objects, place.url)
        lease = self._lease
        self._behind = Behind(self._objects, lambda: lease.is_fresh)
        self._unsure: dict[str, set[bytes]] = {}

    @property
    def url(self) -> str:
        return self._place.url

    def where(self, name: str) -> str:
        return self._objects.where(name)

    @property
    def session(self) -> int:
        return self._lease.session

    # Reading

    @property
    def exists(self) -> bool:
        return bool(self._objects.names())

    def names(self) -> list[str]:
        found = self._objects.names()
        if not found:
            raise FileNotFoundError(errno.ENOENT, "there is no object", self.url)
        return found

    def status(self, name: str) -> FileStatus | None:
        entry = self._objects.head(name)
        return None if entry is None else FileStatus(entry.size, is_regular=True)

    def read(self, name: str, at_most: int) -> bytes:
        return self._objects.get(name, at_most)[0]

    def read_part(self, name: str, start: int, length: int) -> bytes:
        if start < 0:
            return self._parts(name, [(start, length)])[0]
        try:
            return self._objects.part(name, start, start + length)
        except FileNotFoundError:
            raise
        except OSError:
            # Stores refuse a part that begins at the end or beyond it.
            entry = self._objects.head(name)
            if entry is None or entry.size > start:
                raise
            return b""

    def read_ends(self, name: str, head: int, tail: int) -> tuple[bytes, bytes]:
        first, last = self._parts(name, [(0, head), (-tail, tail)])
        return first, last

    def _parts(self, name: str, wanted: list[tuple[int, int]]) -> list[bytes]:
        """Parts of an object; a negative start counts from the end."""
        whole, entry = self._objects.begin(name, SMALL)
        spans = []
        for start, length in wanted:
            first = start if start >= 0 else max(0, entry.size + start)
            spans.append((first, min(first + length, entry.size)))
        if whole is not None:
            return [whole[start:stop] for start, stop in spans]
        return [self._objects.part(name, start, stop) for start, stop in spans]

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[StoredFile]:
        entry = self._objects.head(name)
        if entry is None:
            raise FileNotFoundError(errno.ENOENT, "there is no such object", self.where(name))
        with contextlib.closing(RemoteFile(self._objects, entry)) as file:
            yield file

    def readers(self, size: int) -> int:
        return max(1, min(_READERS, size // _SHARE))

    def free_bytes(self) -> int | None:
        return None

    # Writing

    def write_pack(self, name: str, size: int, chunks: Iterable[memoryview]) -> None:
        self._lease.confirm()
        try:
            refused = self._upload(name, size, chunks)
            # This name is given once, so an object of this size is the one that was sent, also if
            # the answer was lost.
            entry = self._objects.head(name)
            if entry is None or entry.size != size:
                lost = OSError(errno.EIO, "the store does not hold what was sent", self.where(name))
                raise refused or lost
        except BaseException:
            self.discard(name)
            raise

    def _upload(self, name: str, size: int, chunks: Iterable[memoryview]) -> OSError | None:
        """Uploads a pack. Returns the error if the store did not answer."""
        given = Chunks(chunks)
        try:
            self._objects.upload(name, size, given)
        except OSError as error:
            if given.error is not None:
                # The caller's own error, and not the library's words for it.
                raise given.error from None
            if is_certain(error):
                raise
            return error
        return None

    def stage(self, name: str) -> Staging:
        self._behind.hurry()
        unsure = self._unsure.setdefault(name, set())
        return RemoteStaging(self._objects, self._lease, name, unsure)

    def put_hint(self, name: str, data: bytes) -> None:
        self._behind.put(name, data)

    def write_in_place(self, name: str) -> FileInPlace | None:
        file = self._behind.open(name)
        if file is None:
            self._behind.put(name, self.read(name, _MOST_IN_PLACE))
            file = self._behind.open(name)
        return file

    def remove(self, name: str) -> None:
        self._lease.confirm()
        self._behind.drop(name)
        self._objects.delete(name)

    def discard(self, name: str) -> None:
        self._behind.drop(name)
        if isinstance(sys.exc_info()[1], KeyboardInterrupt | SystemExit):
            # An interrupt does not wait for a store that may not answer. A later save sweeps it.
            return
        with contextlib.suppress(OSError):
            self._objects.delete(name)

    def retire(self, name: str) -> None:
        self.remove(name)

    def quarantine(self, name: str) -> str:
        self._lease.confirm()
        target = layout.damaged_name(name, lambda taken: self._objects.head(taken) is not None)
        # If the process is killed in between, rekindle finds the damage again.
        with contextlib.suppress(FileNotFoundError):
            self._objects.copy(name, target)
            self._objects.delete(name)
        return target

    def sync(self) -> None:
        self._behind.flush()

    def read_back(self, names: Collection[str], stop: Callable[[], bool]) -> None:
        stop()

    # One writer

    def hold(self) -> bool:
        if self._lease.is_held:
            return False
        self._lease.acquire()
        return True

    @property
    def is_held(self) -> bool:
        return self._lease.is_held

    def release(self) -> None:
        if self._lease.is_held:
            self._behind.end()
        self._lease.release()

    def withdraw(self) -> None:
        self._lease.release(remove=self._lease.made)

    def unmake(self) -> None:
        self._lease.release(remove=True)

    def probe(self) -> LockStatus:
        found, unchanged, age = self._lease.watch.look()
        if found is None or found.is_free():
            return LockStatus()
        if self._lease.is_held or lives(found):
            return LockStatus(True, found.holder)
        lasts = found.seconds + lease_text.MARGIN
        if is_left(found) or unchanged > lasts:
            return LockStatus(False)
        # The clocks of the store and of this machine may differ.
        return LockStatus(True if abs(age) <= lasts else None, found.holder)

    def has_own_lock(self) -> bool:
        try:
            return self.read_part(layout.LOCK, 0, len(layout.LOCK_MAGIC)) == layout.LOCK_MAGIC
        except OSError:
            return False

    def refuse_others(self, also: Collection[str] = ()) -> None:
        # A program cannot ask a store who owns an object. Who may write there decides.
        return
