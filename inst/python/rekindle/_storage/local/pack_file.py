"""Which way the packs of one folder go to the disk: through the system's cache, or past it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from rekindle._storage.local import buffered, direct_io
from rekindle._storage.local.direct_io import Direct, ReadBack
from rekindle._storage.local.recycle import RecycledFile


class PackFile:
    """How files for packs are opened and written.

    Args:
        folder: The folder.
        past_cache: Whether large packs go past the system's cache, as is best beside a training;
            where that cannot be done, they go through it. Who waits for the save has it sooner
            through the cache.

    Attributes:
        spare: The file that the next pack is written over.
    """

    def __init__(self, folder: str, *, past_cache: bool) -> None:
        self.spare = RecycledFile(folder)
        self._past_cache = past_cache
        self._read_back = ReadBack()
        # Whoever reads has a file open.
        self._reading = threading.Lock()

    def create(self, path: str, size: int) -> int:
        """Opens a file at `path`, where nothing stands, for so many bytes.

        Raises:
            OSError: The system refused.
        """
        return self.spare.create(path, size)

    def write(self, fd: int, size: int, chunks: Iterable[memoryview]) -> None:
        """Writes the chunks, `size` bytes in all, one after the other; they are not synced.

        Raises:
            OSError: The system refused.
        """
        if not self._goes_past(size):
            buffered.write(fd, chunks)
            return
        writer = Direct(fd)
        writer.write(chunks)
        # What was refused once is not asked for again.
        self._past_cache = writer.works

    def _goes_past(self, size: int) -> bool:
        return self._past_cache and size >= direct_io.LEAST

    def keep(self, pack: str) -> bool:
        """Whether a pack that no save needs becomes the spare; see :meth:`RecycledFile.keep`."""
        # It may just be read back, by who has been told to stop: nobody else has to do with it.
        with self._reading:
            return self.spare.keep(pack)

    def read_back(self, packs: Iterable[str], stop: Callable[[], bool]) -> None:
        """Has the system read packs into its cache, if they were written past it.

        Args:
            packs: Their paths.
            stop: Asked from time to time whether to end.
        """
        if self._past_cache:
            with self._reading:
                self._read_back.read(packs, stop)
