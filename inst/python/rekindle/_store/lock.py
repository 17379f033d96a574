"""One writer a folder: a lock that the operating system drops when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import sys
import time
import weakref
from dataclasses import dataclass
from typing import Any

from rekindle._store import format as fmt
from rekindle._store import fs
from rekindle.errors import ForeignFileError, LockError

# Written in one call and padded to one disk sector: no reader, and no crash, meets half of it.
_SIZE = 512

# Locks that this process holds, to be let go in a forked child.
_held: weakref.WeakSet[Lock] = weakref.WeakSet()


@dataclass(frozen=True)
class Holder:
    """Who holds, or last held, a folder.

    Attributes:
        host: Name of the host.
        pid: Process id there.
        started: POSIX seconds at which it took the folder.
        made_folder: Whether the folder was made by rekindle.
    """

    host: str | None = None
    pid: int | None = None
    started: float | None = None
    made_folder: bool = False


class Lock:
    """The lock of one folder, held from :meth:`acquire` to :meth:`release`."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._path = os.path.join(folder, fmt.LOCK)
        self._fd: int | None = None
        self.holder = Holder()

    def acquire(self, *, made_folder: bool) -> bool:
        """Takes the lock: False when the file went away meanwhile, and the caller should begin again.

        Raises:
            LockError: Another run holds it.
            ForeignFileError: The file is not one of rekindle's.
            OSError: The system refused.
        """
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | fs.SAFE, 0o666)
        try:
            if not _try_lock(fd):
                self._refuse(_read(fd, self._path))
            # The holder before us may have cleaned up between our open and our lock: then what we
            # hold is the lock of a file that nobody else will ever open.
            if not self._is_at(fd):
                os.close(fd)
                return False
            before = _read(fd, self._path)
            self.holder = Holder(
                socket.gethostname(), os.getpid(), time.time(), made_folder or before.made_folder
            )
            # Who we are is for the message only: a disk too full for it is no reason not to train.
            with contextlib.suppress(OSError):
                _write(fd, self.holder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.close(fd)
            raise
        self._fd = fd
        _held.add(self)
        return True

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock of the file that now stands in the folder."""
        return self._fd is not None and self._is_at(self._fd)

    def release(self, *, remove: bool = False) -> None:
        """Lets go; with `remove`, takes the file away first, while nobody else can hold it."""
        fd, self._fd = self._fd, None
        _held.discard(self)
        if fd is None:
            return
        with fs.closing(fd):
            if remove and self._is_at(fd):
                fs.remove(self._path)

    def _is_at(self, fd: int) -> bool:
        try:
            there = os.lstat(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return os.path.samestat(there, os.fstat(fd))

    def _refuse(self, holder: Holder) -> None:
        who = "another run"
        if holder.pid is not None:
            here = holder.pid == os.getpid() and holder.host == socket.gethostname()
            who = (
                "another run in this process"
                if here
                else f"process {holder.pid} on {holder.host!r}"
            )
            since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder.started))
            who += f", since {since}"
        raise LockError(
            f"The backup folder {self._folder!r} is in use by {who}. Two runs cannot share one folder:"
            " wait until that run ends, stop it, or give this run a folder of its own.",
            directory=self._folder,
            host=holder.host,
            pid=holder.pid,
            started=holder.started,
        )

    def _drop_in_child(self) -> None:
        # Closing is not unlocking: the parent's descriptor keeps the lock. Left open, the child
        # would keep it alive after the parent's death.
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = None


def _after_fork_in_child() -> None:
    for lock in list(_held):
        lock._drop_in_child()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _try_lock(fd: int) -> bool:
    """Locks the open file without waiting: whether it could be had."""
    try:
        if sys.platform == "win32":
            import msvcrt

            # Past the text, which a refused run wants to read.
            os.lseek(fd, _SIZE, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fs.retrying(fcntl.flock, fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            return False
        raise
    return True


def _read(fd: int, path: str) -> Holder:
    data = bytearray(_SIZE)
    text = bytes(data[: fs.read_into(fd, memoryview(data), 0)]).rstrip(b" \n\0")
    if not text:
        return Holder()
    if not text.startswith(fmt.LOCK_MAGIC):
        raise ForeignFileError(
            f"{path!r} is not a lock of rekindle's. Move it away, or choose another folder.",
            path=path,
        )
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        row = {}
    return _holder(row)


def _holder(row: Any) -> Holder:
    """Whatever of the text makes sense: it is for people, and nothing else depends on it."""
    if not isinstance(row, dict):
        return Holder()
    host, pid, started = row.get("host"), row.get("pid"), row.get("started")
    return Holder(
        host[:255] if isinstance(host, str) else None,
        pid if type(pid) is int and 0 < pid < 2**31 else None,
        float(started) if type(started) in (int, float) and 0 <= started < 1e11 else None,
        row.get("made_folder") is True,
    )


def _write(fd: int, holder: Holder) -> None:
    row = {
        "host": holder.host,
        "pid": holder.pid,
        "started": holder.started,
        "made_folder": holder.made_folder,
    }
    text = fmt.LOCK_MAGIC + b"1," + json.dumps(row).encode("ascii")[1:]
    os.lseek(fd, 0, os.SEEK_SET)
    fs.write_all(fd, memoryview(text.ljust(_SIZE - 1) + b"\n"))
