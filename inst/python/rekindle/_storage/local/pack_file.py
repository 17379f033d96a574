"""Decides how the packs of one folder go to the disk: through the system's cache, or past it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from rekindle._format import layout
from rekindle._storage.local import buffered, fs
from rekindle._storage.local.direct_io import Direct
from rekindle._storage.local.page_cache import ReadBack
from rekindle._storage.local.recycle import RecycledFile


class PackFile:
    """Opens and writes the files of packs.

    Args:
        place: A function that makes of a name in the folder the place of this file.
        past_cache: Whether large packs go past the system's cache, which is best beside a training.
            If the system does not allow that, they go through the cache. A caller that waits for
            the save gets it sooner through the cache.

    Attributes:
        spare: The recycled file, which the next pack overwrites.
    """

    def __init__(self, place: Callable[[str], fs.Where], *, past_cache: bool) -> None:
        self.spare = RecycledFile(place)
        self._past_cache = past_cache
        self._read_back = ReadBack()
        # Held while packs are read back: the reader has a file open.
        self._reading = threading.Lock()

    def create(self, path: fs.Where, size: int) -> int:
        """Opens a file for `size` bytes at `path`, which must not exist yet.

        Raises:
            OSError: The system refused.
        """
        return self.spare.create(path, size)

    def write(self, fd: int, size: int, chunks: Iterable[memoryview]) -> None:
        """Writes the chunks in order, `size` bytes in total; does not sync them.

        Raises:
            OSError: The system refused.
        """
        if not self._goes_past(size):
            buffered.write(fd, chunks)
            return
        writer = Direct(fd)
        writer.write(chunks)
        # If the system refused once, do not try again.
        self._past_cache = writer.works

    def _goes_past(self, size: int) -> bool:
        return self._past_cache and size >= layout.LARGE_PACK

    def keep(self, pack: str) -> bool:
        """Recycles a pack that no checkpoint needs, if possible; see :meth:`RecycledFile.keep`."""
        # A :meth:`read_back` that was asked to stop may still have this pack open. Wait for it,
        # because an open file cannot be recycled.
        with self._reading:
            return self.spare.keep(pack)

    def read_back(self, packs: Iterable[fs.Where], stop: Callable[[], bool]) -> None:
        """Makes the system read packs into its cache, if they were written past it.

        Args:
            packs: The places of the packs.
            stop: Called from time to time; returns whether to stop.
        """
        if self._past_cache:
            with self._reading:
                self._read_back.read(packs, stop)
