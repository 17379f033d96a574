"""The file of a pack that no save needs any more, kept for the next pack to be written over it.

A file that is written over keeps its blocks on the disk and its pages in memory. New ones can cost
the system more than the copying does, and training shares the processors with that: in a virtual
machine that gives its free memory back to the host, 400 MB of new pages took a second of one
processor, and the same pages written over 0.06 s. Past the cache, where no pages are filled, 400 MB
took the disk 0.15 s in new blocks and 0.08 s in those of the spare, and to remove the old file
another 0.07 s, as the disk was told of each block that became free.
"""

from __future__ import annotations

import contextlib
import os

from rekindle._format import layout
from rekindle._storage.local import fs

# Less than this is written anew in no time.
_LEAST = 16 << 20


class RecycledFile:
    """At most one such file in a folder, under a temporary name: a leftover when the run dies.

    Args:
        folder: The folder.

    Attributes:
        name: The file's name, ``None`` when there is none.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.name: str | None = None

    def keep(self, pack: str) -> bool:
        """Takes a pack for the spare: whether it did. If not, the pack stands where it stood.

        Args:
            pack: Its name. No save needs it, and no power cut may bring back one that does.
        """
        if self.name is not None or not fs.CAN_TELL_OPEN_FILES:
            return False
        path, name = self._path(pack), layout.temporary_name(pack)
        try:
            if os.lstat(path).st_size < _LEAST:
                return False
            # First, so that nobody opens it by its old name after we looked who has.
            fs.rename(path, self._path(name))
        except OSError:
            return False
        self.name = name
        # Who reads it, or has a link to it, goes on to find in it what was written.
        if not fs.is_alone(self._path(name)):
            self.discard()
        return True

    def create(self, path: str, size: int) -> int:
        """Opens a file at `path`, where nothing stands, for `size` bytes from its beginning on.

        Until these are written it may hold others, at most as many.

        Raises:
            OSError: The system refused.
        """
        if self.name is None or size < _LEAST:
            # One that is not written over now would stand beside all that is written.
            self.discard()
            return fs.create(path)
        spare, self.name = self._path(self.name), None
        # Once more: it stood there under a name since, and somebody may have given it another.
        if not fs.is_alone(spare):
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
        """Removes the file, if there is one; what the system keeps of it is a leftover."""
        if self.name is not None:
            fs.discard(self._path(self.name))
            self.name = None

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)
