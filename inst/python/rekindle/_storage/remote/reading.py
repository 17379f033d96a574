"""An object that is open for reading."""

from __future__ import annotations

import collections
from concurrent.futures import Future, ThreadPoolExecutor

from rekindle._storage.remote.objects import Entry, Objects

# One request asks for so many bytes. Requests that are under way at the same time share the
# memory that a reader may use for them.
_PIECE = 8 << 20
_AHEAD = 3


class RemoteFile:
    """See :class:`rekindle._storage.protocol.StoredFile`.

    Args:
        objects: The objects of the prefix.
        entry: The object.
        pool: Threads for requests ahead of what is read.
    """

    def __init__(self, objects: Objects, entry: Entry, pool: ThreadPoolExecutor) -> None:
        self._objects = objects
        self._name = entry.name
        self.size = entry.size
        self._pool = pool
        # Where the caller's bytes end, as it said.
        self._stop = 0
        self._pieces: collections.OrderedDict[int, Future[memoryview]] = collections.OrderedDict()
        self._start = 0

    def expect(self, start: int, stop: int) -> None:
        """The caller reads these bytes next, in order."""
        self._forget()
        self._start, self._stop = start, min(stop, self.size)

    def _forget(self) -> None:
        for piece in self._pieces.values():
            piece.cancel()
        self._pieces.clear()

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fills `buffer` from `offset` on; returns the number of bytes, fewer if the file ends."""
        length = min(len(buffer), max(0, self.size - offset))
        if length and not self._start <= offset < offset + length <= self._stop:
            self.expect(offset, offset + length)
        done = 0
        while done < length:
            at = offset + done
            first = self._start + (at - self._start) // _PIECE * _PIECE
            piece = self._piece(first)
            part = piece[at - first : at - first + length - done]
            if not part:
                break
            buffer[done : done + len(part)] = part
            done += len(part)
        return done

    def _piece(self, first: int) -> memoryview:
        """The piece that begins there; those after it are asked for as well."""
        for old in [start for start in self._pieces if start < first]:
            self._pieces.pop(old).cancel()
        for start in range(first, min(self._stop, first + _AHEAD * _PIECE), _PIECE):
            if start not in self._pieces:
                stop = min(start + _PIECE, self._stop)
                self._pieces[start] = self._pool.submit(self._objects.view, self._name, start, stop)
        return self._pieces[first].result()

    def close(self) -> None:
        """Ends the requests ahead of what is read."""
        self._forget()
