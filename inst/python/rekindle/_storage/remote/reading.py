"""An object that is open for reading."""

from __future__ import annotations

from rekindle._storage.remote.objects import SMALL, Entry, Objects, Stream

# A gap of so many bytes between two reads is read, too: that is quicker than another request.
_GAP = SMALL


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
        self._stream: Stream | None = None
        # The caller's bytes end here, as it said; and the next byte of the stream is this one.
        self._stop = self._at = 0
        self._chunk = memoryview(b"")

    def expect(self, start: int, stop: int) -> None:
        """The caller reads these bytes next, in order."""
        if self._stream is not None and self._is_near(start) and stop <= self._stop:
            return
        self._stream = None
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
            self._chunk = self._chunk[len(part) :]
        self._at += done
        return done

    def _next(self) -> bool:
        if self._stream is None:
            self._stream = self._objects.stream(self._name, self._at, self._stop)
        self._chunk = self._stream.next()
        return bool(self._chunk)

    def close(self) -> None:
        """Ends the request."""
        self._stream = None
