"""Recycles the file of a pack that no checkpoint needs: the next pack overwrites it.

An overwritten file keeps its blocks on the disk and its pages in memory. New blocks and pages can
cost the system more than the copying, and training shares the processors with the system. In a
virtual machine that returns free memory to its host, 400 MB of new pages took one processor one
second; overwriting the same pages took 0.06 s. Past the cache, where no pages are filled, the disk
took 0.15 s to write 400 MB into new blocks, and 0.08 s into the blocks of the recycled file.
Removing the old file took another 0.07 s, because the system reports each freed block to the disk.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable

from rekindle._base import tuning
from rekindle._format import layout
from rekindle._storage.local import fs

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Whether :func:`is_alone` can return True. Only Linux' leases can tell whether a file is open.
CAN_TELL_OPEN_FILES = hasattr(fcntl, "F_SETLEASE")

# The system writes a new file of less than this in almost no time.
_LEAST = 16 << 20


def _is_possible() -> bool:
    return CAN_TELL_OPEN_FILES and tuning.uses(tuning.RECYCLE)


class RecycledFile:
    """Keeps at most one recycled file in a folder. Its name is temporary: a leftover after a crash.

    Args:
        place: A function that makes of a name the place of this file.

    Attributes:
        name: The file's name; ``None`` if there is no file.
    """

    def __init__(self, place: Callable[[str], fs.Where]) -> None:
        self._path = place
        self.name: str | None = None

    def keep(self, pack: str) -> bool:
        """Recycles a pack; returns whether it took the pack. If not, the pack stays in its place.

        Args:
            pack: The pack's name. No checkpoint may need the pack, and no power cut may bring back
                a checkpoint that does.
        """
        if self.name is not None or not _is_possible():
            return False
        path, name = self._path(pack), layout.temporary_name(pack)
        try:
            if fs.lstat(path).st_size < _LEAST:
                return False
            # Rename first, so that no process opens the old name after we check who has it open.
            fs.rename(path, self._path(name))
        except OSError:
            return False
        self.name = name
        # If a process reads the file or has a link to it, the file must keep its content.
        if not is_alone(self._path(name)):
            self.discard()
        return True

    def create(self, path: fs.Where, size: int) -> int:
        """Opens a file for `size` bytes at `path`, which must not exist yet.

        Until the caller writes these bytes, the file may hold old bytes, at most `size` of them.

        Raises:
            OSError: The system refused.
        """
        if self.name is None or size < _LEAST:
            # A recycled file that is not overwritten now would take up space beside the new pack.
            self.discard()
            return fs.create(path)
        spare, self.name = self._path(self.name), None
        # Check again: since the last check, a process may have opened the file or linked to it.
        if not is_alone(spare):
            fs.discard(spare)
            return fs.create(path)
        fd, there = fs.open_regular(spare, os.O_WRONLY)
        try:
            if there > size:
                fs.retrying(os.ftruncate, fd, size)
            fs.rename(spare, path)
        except BaseException:
            with contextlib.suppress(OSError):
                fs.close(fd)
            fs.discard(spare)
            raise
        return fd

    def discard(self) -> None:
        """Removes the file, if there is one. If the system refuses, the file is a leftover."""
        if self.name is not None:
            fs.discard(self._path(self.name))
            self.name = None


def is_alone(path: fs.Where) -> bool:
    """Whether a regular file has only this name and no process has it open; False if in doubt."""
    try:
        fd, _ = fs.open_regular(path, os.O_WRONLY)
        with fs.closing(fd):
            if os.fstat(fd).st_nlink != 1:
                return False
            # A file system that grants a lease on a file that is open twice cannot tell us.
            with fs.closing(fs.open_regular(path)[0]):
                if _may_be_leased(fd):
                    return False
            return _may_be_leased(fd)
    except OSError:
        return False


def _may_be_leased(fd: int) -> bool:
    """Whether the system reports `fd` as the only open descriptor of the file."""
    try:
        # If another process opens the file before this process gives up the lease, the system
        # sends this process a signal. The default signal would end it, so ask for another signal.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return False
    return True
