"""Reads one message of HTTP/1.1 from a connection, byte for byte as it was sent."""

from __future__ import annotations

from dataclasses import dataclass
from http.client import responses


class GoneError(ConnectionError):
    """The other side closed the connection before the message ended."""


@dataclass
class Message:
    """A request or an answer.

    Attributes:
        start: The first line, without its end.
        fields: The lines of the head, as name and value, in their order.
        body: The body as it is on the wire: with the lengths of its chunks, if it has chunks.
    """

    start: str
    fields: list[tuple[str, str]]
    body: bytes = b""

    @property
    def head(self):
        lines = [self.start, *(f"{name}: {value}" for name, value in self.fields)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    @property
    def status(self):
        return int(self.start.split()[1])

    def field(self, name, default=""):
        """The value of the first field of this name."""
        found = (value for one, value in self.fields if one.lower() == name)
        return next(found, default)

    @property
    def closes(self):
        """Whether the connection ends with this message."""
        is_old = "HTTP/1.0" in self.start
        return self.field("connection", "close" if is_old else "").lower() == "close"


def read_head(file):
    """The head of the next message; None if the other side ended the connection before it."""
    start = file.readline(65_536)
    if not start:
        return None
    fields = []
    while (line := file.readline(65_536)) not in (b"\r\n", b"\n"):
        if not line:
            raise GoneError
        name, _, value = line.decode("latin-1").partition(":")
        fields.append((name, value.strip()))
    return Message(start.decode("latin-1").rstrip("\r\n"), fields)


def read_body(file, message, to_the_end=False):
    """The body that belongs to a head.

    Args:
        to_the_end: Whether a body without a length lasts until the connection ends.
    """
    if message.field("transfer-encoding").lower() == "chunked":
        return b"".join(_chunks(file))
    length = message.field("content-length")
    if not length:
        return file.read() if to_the_end else b""
    return _exactly(file, int(length))


def _chunks(file):
    while True:
        line = file.readline(65_536)
        yield line
        size = int(line.split(b";")[0] or b"0", 16) if line else 0
        if not line:
            raise GoneError
        if size == 0:
            break
        yield _exactly(file, size + 2)
    while (line := file.readline(65_536)) not in (b"\r\n", b"\n", b""):
        yield line
    yield line


def _exactly(file, size):
    data = file.read(size)
    if len(data) < size:
        raise GoneError
    return data


def answer(status, body=b"", kind="application/xml"):
    """An answer that this program makes itself."""
    fields = [("Content-Type", kind), ("Content-Length", str(len(body)))]
    return Message(f"HTTP/1.1 {status} {responses.get(status, 'Unknown')}", fields, body)
