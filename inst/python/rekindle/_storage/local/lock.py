"""One writer per folder: a lock that the system releases when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import sys
import time
import weakref
from typing import Any

from rekindle._format import layout
from rekindle._storage.local import fs
from rekindle._storage.protocol import Holder, NotRegularError
from rekindle.errors import ForeignFileError, LockError

# The text is written in one call and padded to one disk sector, so no reader sees half of it.
_SIZE = 512

# A holder writes its name right after it takes the lock. A refused process waits this many seconds
# for that name.
_PATIENCE = 1.0

# Locks that this process holds. A forked child closes its copies of them.
_held: weakref.WeakSet[Lock] = weakref.WeakSet()


class Lock:
    """The lock of one folder, held from :meth:`acquire` to :meth:`release`."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._path = os.path.join(folder, layout.LOCK)
        self._at: fs.Where = self._path
        self._fd: int | None = None
        self._pid = 0
        self.holder = Holder()
        self.made_file = False

    def acquire(self, at: fs.Where, *, made_folder: bool) -> bool:
        """Takes the lock. Returns False if the file came or went meanwhile: then try again.

        Args:
            at: The lock file, in the open folder.
            made_folder: Whether rekindle made the folder.

        Raises:
            LockError: Another run holds the lock.
            ForeignFileError: rekindle did not write the lock file.
            OSError: The system refused.
        """
        self._at = at
        opened = self._open()
        if opened is None:
            return False
        fd, self.made_file = opened
        try:
            if not _try_lock(fd) and not self._outlasted(fd):
                self._refuse(read_holder(fd, self._path))
            # The previous holder may have removed the file between our open and our lock. Then we
            # hold the lock of a file that no other process will ever open.
            if not self._is_at(fd):
                fs.close(fd)
                return False
            before = read_holder(fd, self._path)
            self.holder = Holder(
                socket.gethostname(), os.getpid(), time.time(), made_folder or before.made_folder
            )
            # The holder's name is only for messages: training must go on if the disk is too full
            # for it.
            with contextlib.suppress(OSError):
                _write(fd, self.holder)
        except BaseException:
            with contextlib.suppress(OSError):
                fs.close(fd)
            raise
        self._fd, self._pid = fd, os.getpid()
        _held.add(self)
        return True

    def _open(self) -> tuple[int, bool] | None:
        """The file's descriptor and whether we made it; ``None`` if it came or went meanwhile."""
        try:
            try:
                return fs.open_regular(self._at, os.O_RDWR)[0], False
            except OSError as error:
                # The file is another user's in a shared folder, or the medium is read-only. A
                # read-only descriptor can still be locked.
                if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                    raise
                return fs.open_regular(self._at)[0], False
        except FileNotFoundError:
            pass
        except NotRegularError:
            raise _not_ours(self._path) from None
        try:
            return fs.open_regular(self._at, os.O_RDWR | os.O_CREAT | os.O_EXCL)[0], True
        except FileExistsError:
            return None

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock of the file that is now in the folder."""
        # Compare the process ids, because Python does not notice a fork by C code (R's mclapply).
        return self._fd is not None and self._pid == os.getpid() and self._is_at(self._fd)

    def release(self, *, remove: bool = False) -> None:
        """Releases the lock; with `remove`, removes the file first, while no other can hold it."""
        fd, self._fd = self._fd, None
        _held.discard(self)
        if fd is None:
            return
        with fs.closing(fd):
            if remove and self._pid == os.getpid() and self._is_at(fd):
                fs.remove(self._at)

    def _is_at(self, fd: int) -> bool:
        try:
            there = os.lstat(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return os.path.samestat(there, os.fstat(fd))

    def _outlasted(self, fd: int) -> bool:
        """Waits a moment for a lock whose named holder is dead; returns whether we got the lock.

        Either a new holder is about to write its name, or a child that was forked at the moment of
        the holder's death is about to close the descriptor that it inherited.
        """
        deadline = time.monotonic() + _PATIENCE
        while not may_be_alive(read_holder(fd, self._path)) and time.monotonic() < deadline:
            time.sleep(0.01)
            if _try_lock(fd):
                return True
        return False

    def _refuse(self, holder: Holder) -> None:
        if not may_be_alive(holder):
            holder = Holder()
        raise LockError(
            f"The backup folder {self._folder!r} is locked by {_name(holder)}. Two runs cannot"
            " share one folder: wait until that run ends, stop it, or give this run a folder of"
            " its own.",
            directory=self._folder,
            host=holder.host,
            pid=holder.pid,
            started=holder.started,
        )

    def _drop_in_child(self) -> None:
        # Closing the descriptor does not unlock: the parent's descriptor keeps the lock. If the
        # child left it open, the child would hold the lock after the parent's death.
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
    """Tries to lock the open file without waiting; returns whether that succeeded."""
    try:
        if sys.platform == "win32":
            import msvcrt

            # Lock a byte after the text, because a refused run must be able to read the text.
            os.lseek(fd, _SIZE, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fs.retrying(fcntl.flock, fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        busy = errno.EACCES if sys.platform == "win32" else errno.EWOULDBLOCK
        if error.errno in (busy, errno.EDEADLK):
            return False
        raise
    return True


def may_be_alive(holder: Holder) -> bool:
    """Whether the holder's process may be alive, as far as this host can tell."""
    if holder.pid is None:
        return False
    if holder.host != socket.gethostname() or sys.platform == "win32":
        return True
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _name(holder: Holder) -> str:
    is_here = holder.pid == os.getpid() and holder.host == socket.gethostname()
    return holder.in_words(is_here=is_here)


def _not_ours(path: str) -> ForeignFileError:
    return ForeignFileError(
        f"{path!r} is not a lock file of rekindle. Move it away, or choose another folder.",
        path=path,
    )


def read_holder(fd: int, path: str) -> Holder:
    """The holder that the text in the open lock file names.

    Raises:
        ForeignFileError: rekindle did not write the text.
    """
    data = bytearray(_SIZE)
    text = bytes(data[: fs.read_into(fd, memoryview(data), 0)]).rstrip(b" \n\0")
    # The lock file is not synced: a power cut may leave it empty, zeroed or cut off anywhere.
    if layout.LOCK_MAGIC.startswith(text):
        return Holder()
    if not text.startswith(layout.LOCK_MAGIC):
        raise _not_ours(path)
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        row = {}
    return _holder(row)


def _holder(row: Any) -> Holder:
    """The valid parts of the text. They are for people, and no decision depends on them."""
    if not isinstance(row, dict):
        return Holder()
    host: object = row.get("host")
    pid: object = row.get("pid")
    started: object = row.get("started")
    return Holder(
        host[:255] if isinstance(host, str) else None,
        pid if type(pid) is int and 0 < pid < 2**31 else None,
        float(started) if isinstance(started, int | float) and 0 <= started < 1e11 else None,
        row.get("made_folder") is True,
    )


def _write(fd: int, holder: Holder) -> None:
    row = {
        "host": holder.host,
        "pid": holder.pid,
        "started": holder.started,
        "made_folder": holder.made_folder,
    }
    text = layout.LOCK_MAGIC + b"1," + json.dumps(row).encode("ascii")[1:]
    os.lseek(fd, 0, os.SEEK_SET)
    fs.write_all(fd, memoryview(text.ljust(_SIZE - 1) + b"\n"))
