"""A storage in the memory of this process: the smallest that keeps the contract."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator

from rekindle._format import layout
from rekindle._storage.protocol import FileStatus, Holder, LockStatus, TooLargeError
from rekindle.errors import ForeignFileError, LockError

# The content of the lock's file while this storage holds it.
_LOCK = layout.LOCK_MAGIC + b"1}"


class Server:
    """A place that outlives the storages that use it.

    Attributes:
        files: The files by name; ``None`` before the first storage makes the folder.
        owner: The storage that holds the lock.
        made_by_us: Whether a storage made the folder.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] | None = None
        self.owner: MemoryStorage | None = None
        self.holder: Holder | None = None
        self.made_by_us = False
        self.guard = threading.RLock()


class MemoryStorage:
    """See :class:`rekindle._storage.protocol.Storage`."""

    is_remote = False
    session = 0
    trouble = None

    def __init__(self, server: Server, url: str = "memory://test") -> None:
        self._server = server
        self.url = url
        self._made_lock = False

    @property
    def _files(self) -> dict[str, bytes]:
        if self._server.files is None:
            raise FileNotFoundError(2, "no such folder", self.url)
        return self._server.files

    def where(self, name: str) -> str:
        return f"{self.url}/{name}"

    @property
    def exists(self) -> bool:
        return self._server.files is not None

    def names(self) -> list[str]:
        return list(self._files)

    def status(self, name: str) -> FileStatus | None:
        files = self._server.files or {}
        return FileStatus(len(files[name]), True) if name in files else None

    def read(self, name: str, at_most: int) -> bytes:
        data = self._data(name)
        if len(data) > at_most:
            raise TooLargeError(27, f"larger than {at_most} bytes", name)
        return data

    def read_part(self, name: str, start: int, length: int) -> bytes:
        data = self._data(name)
        start = start if start >= 0 else max(0, len(data) + start)
        return data[start : start + length]

    def read_ends(self, name: str, head: int, tail: int) -> tuple[bytes, bytes]:
        return self.read_part(name, 0, head), self.read_part(name, -tail, tail)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[MemoryFile]:
        yield MemoryFile(self._data(name))

    def readers(self, size: int) -> int:
        return 1

    def free_bytes(self) -> int | None:
        return None

    def _data(self, name: str) -> bytes:
        if name not in self._files:
            raise FileNotFoundError(2, "no such file", self.where(name))
        return self._files[name]

    def write_pack(self, name: str, size: int, chunks: Iterable[memoryview]) -> None:
        data = b"".join(chunks)
        assert len(data) == size
        self._files[name] = data

    def stage(self, name: str) -> MemoryStaging:
        return MemoryStaging(self._files, name)

    def put_hint(self, name: str, data: bytes) -> None:
        self._files[name] = data

    def write_in_place(self, name: str) -> MemoryInPlace:
        self._data(name)
        return MemoryInPlace(self._files, name)

    def remove(self, name: str) -> None:
        self._files.pop(name, None)

    def discard(self, name: str) -> None:
        (self._server.files or {}).pop(name, None)

    def retire(self, name: str) -> None:
        self.remove(name)

    def quarantine(self, name: str) -> str:
        target = layout.damaged_name(name, self._files.__contains__)
        if name in self._files:
            self._files[target] = self._files.pop(name)
        return target

    def sync(self) -> None:
        _ = self._files

    def read_back(self, names: Collection[str], stop: Callable[[], bool]) -> None:
        stop()

    def hold(self) -> bool:
        server = self._server
        with server.guard:
            if self.is_held:
                return False
            if server.owner is not None:
                raise LockError(
                    f"{self.url!r} is in use", directory=self.url, host=None, pid=None, started=None
                )
            made = server.files is None
            if server.files is None:
                server.files = {}
            if not server.files.get(layout.LOCK, _LOCK).startswith(layout.LOCK_MAGIC):
                raise ForeignFileError("not a lock", path=self.where(layout.LOCK))
            self._made_lock = layout.LOCK not in server.files
            server.made_by_us = made or server.made_by_us
            server.files[layout.LOCK] = _LOCK
            server.owner = self
            server.holder = Holder(socket.gethostname(), os.getpid(), time.time(), made)
            return True

    @property
    def is_held(self) -> bool:
        return self._server.owner is self

    def release(self) -> None:
        if self.is_held:
            self._server.owner = None

    def withdraw(self) -> None:
        if self.is_held and self._made_lock:
            self.remove(layout.LOCK)
        self.release()

    def unmake(self) -> None:
        self.remove(layout.LOCK)
        if self._server.made_by_us and not self._files:
            self._server.files = None
        self.release()

    def probe(self) -> LockStatus:
        if self._server.owner is None:
            return LockStatus()
        return LockStatus(True, self._server.holder)

    def has_own_lock(self) -> bool:
        files = self._server.files or {}
        return files.get(layout.LOCK, b"").startswith(layout.LOCK_MAGIC)

    def refuse_others(self, also: Collection[str] = ()) -> None:
        return


class MemoryFile:
    """See :class:`rekindle._storage.protocol.StoredFile`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def expect(self, start: int, stop: int) -> None:
        return

    def read_into(self, buffer: memoryview, offset: int) -> int:
        part = self._data[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        return len(part)


class MemoryInPlace:
    """See :class:`rekindle._storage.protocol.FileInPlace`."""

    def __init__(self, files: dict[str, bytes], name: str) -> None:
        self._files = files
        self._name = name

    def write(self, offset: int, data: bytes) -> None:
        there = self._files[self._name].ljust(offset + len(data), b"\0")
        self._files[self._name] = there[:offset] + data + there[offset + len(data) :]

    def close(self) -> None:
        self._files = {}


class MemoryStaging:
    """See :class:`rekindle._storage.protocol.Staging`."""

    def __init__(self, files: dict[str, bytes], name: str) -> None:
        self._files = files
        self._name = name
        self._data: bytes | None = None
        self.may_be_published = False

    def write(self, data: bytes) -> None:
        self._data = data

    def publish(self) -> None:
        assert self._data is not None
        self.may_be_published = True
        self._files[self._name] = self._data

    def acknowledge(self) -> None:
        return

    def abandon(self) -> None:
        self._data = None
