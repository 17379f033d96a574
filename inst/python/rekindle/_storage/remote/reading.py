"""An object that is open for reading."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from rekindle._storage.remote.objects import SMALL, Entry, Objects

# A gap of so many bytes between two reads is read, too: that is quicker than another request.
_GAP = SMALL

# So many chunks of a stream wait for the reader, who checks the ones before them meanwhile.
_AHEAD = 2


class RemoteFile:
    """See :class:`rekindle._storage.protocol.StoredFile`.

    Bytes that the caller expects to read come as one stream, in the answer to one request.

    Args:
        objects: The objects of the prefix.
        entry: The object.
    """

    def __init__(self, objects: Objects, entry: Entry) -> None:
        self._objects = objects
        self._name = entry.name
        self.size = entry.size
        self._stream: _Ahead | None = None
        # The caller's bytes end here, as it said; and the next byte of the stream is this one.
        self._stop = self._at = 0
        self._chunk = memoryview(b"")

    def expect(self, start: int, stop: int) -> None:
        """The caller reads these bytes next, in order."""
        if self._stream is not None and self._is_near(start) and stop <= self._stop:
            return
        self.close()
        self._at, self._stop, self._chunk = start, min(stop, self.size), memoryview(b"")

    def _is_near(self, offset: int) -> bool:
        return self._at <= offset <= self._at + _GAP

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fills `buffer` from `offset` on; returns the number of bytes, fewer if the file ends."""
        length = min(len(buffer), max(0, self.size - offset))
        if not self._is_near(offset) or offset + length > self._stop:
            self.expect(offset, offset + length)
        self._take(None, offset - self._at)
        return self._take(buffer, length)

    def _take(self, buffer: memoryview | None, length: int) -> int:
        """Moves on by so many bytes, and gives them to `buffer`, if there is one."""
        done = 0
        while done < length:
            if not self._chunk and not self._next():
                break
            part = self._chunk[: length - done]
            if buffer is not None:
                buffer[done : done + len(part)] = part
            done += len(part)
            self._at += len(part)
            self._chunk = self._chunk[len(part) :]
        return done

    def _next(self) -> bool:
        if self._stop - self._at <= SMALL:
            # One small answer needs no thread.
            self._chunk = memoryview(self._objects.part(self._name, self._at, self._stop))
        else:
            if self._stream is None:
                chunks = self._objects.stream(self._name, self._at, self._stop)
                self._stream = _Ahead(chunks)
            self._chunk = self._stream.next()
        return bool(self._chunk)

    def close(self) -> None:
        """Ends the request."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


class _Ahead:
    """The chunks of a stream, which a thread fetches ahead of the reader."""

    def __init__(self, chunks: Iterator[memoryview]) -> None:
        self._waiting: queue.Queue[memoryview | BaseException] = queue.Queue(_AHEAD)
        self._is_closed = threading.Event()
        target = (chunks, self._waiting, self._is_closed)
        threading.Thread(target=_fetch, args=target, name="rekindle-read", daemon=True).start()

    def next(self) -> memoryview:
        """The next chunk; an empty one at the end."""
        found = self._waiting.get()
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        """Ends the stream, wherever it is."""
        self._is_closed.set()
        # The thread may wait for room.
        while not self._waiting.empty():
            self._waiting.get_nowait()


def _fetch(
    chunks: Iterator[memoryview],
    waiting: queue.Queue[memoryview | BaseException],
    is_closed: threading.Event,
) -> None:
    try:
        for chunk in chunks:
            waiting.put(chunk)
            if is_closed.is_set():
                return
        waiting.put(memoryview(b""))
    except BaseException as error:  # noqa: BLE001  (the reader raises it)
        waiting.put(error)
