"""The output of the command, passed through and kept in the log, and the supervisor's messages.

A reader may stop reading, and a log may be on a disk that hangs. So each place has a thread of its
own that writes to it. The supervisor's loop, which passes signals on, waits for none of them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import stat
import sys
import threading
import time
from collections.abc import Callable

from rekindle._printable import printable
from rekindle.errors import ArgumentError

# In bytes: if so much output waits for one place, the supervisor reads no more output for it.
_MOST = 1 << 20
# In seconds: once the end was asked for, a place without progress for so long stands still.
_STILL = 2.0
_BRIEF = 0.01


class Output:
    """The log, and the supervisor's own standard output and error.

    Args:
        log: A file to append to, or ``None``.

    Attributes:
        ends: Whether the end was asked for. From then on, a place that stands still holds nothing
            back: the output that the place does not take is left out there.

    Raises:
        ArgumentError: The log cannot be opened.
    """

    def __init__(self, log: str | None) -> None:
        self.ends = False
        self._at_line_start = log is None or _ends_a_line(log)
        self._log: _Place | None = None
        if log is not None:
            try:
                fd = open_to_write(log, os.O_APPEND)
            except OSError as error:
                raise ArgumentError(
                    f"The log {log!r} cannot be opened: {why_not_opened(error, log)}. Give a"
                    " file that can be written, in a folder that exists.",
                    argument="log",
                    value=log,
                ) from error
            self._log = _Place(fd, self._log_failed)
        self._standard = {fd: _Place(fd) for fd in (1, 2)}

    @property
    def is_kept(self) -> bool:
        """Whether there is a log."""
        return self._log is not None and not self._log.is_gone

    def accepts(self, fd: int) -> bool:
        """Whether more can be passed through to standard output (1) or error (2) now."""
        places = (self._standard[fd], self._log)
        return all(place is None or place.accepts(self.ends) for place in places)

    def pass_through(self, fd: int, data: bytes) -> None:
        """Writes to standard output (1) or error (2), and to the log."""
        self._standard[fd].put(data, self.ends)
        self.note(data)

    def note(self, data: bytes) -> None:
        """Writes to the log alone."""
        if self._log is not None and data:
            self._log.put(data, self.ends)
            self._at_line_start = data.endswith(b"\n")

    def header(self, text: str) -> None:
        """Writes a line of the supervisor into the log, always on a new line."""
        moment = time.strftime("%Y-%m-%d %H:%M:%S")
        start = "" if self._at_line_start else "\n"
        self.note(f"{start}=== rekindle {moment}: {printable(text)}\n".encode())

    def say(self, text: str) -> None:
        """Writes a line of the supervisor to standard error, and into the log."""
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        line = f"rekindle: {printable(text)}\n".encode(encoding, "backslashreplace")
        self._standard[2].put(line, self.ends)
        self.header(text)

    def _log_failed(self, error: OSError) -> None:
        self.say(f"the log cannot be written any more: {error.strerror}; the command continues")

    def finish(self, is_asked: Callable[[], bool]) -> None:
        """Waits until all output is written.

        Args:
            is_asked: Returns whether the end is asked for now.
        """
        # The log first: if it fails, a message goes to standard error.
        places = [place for place in (self._log, *self._standard.values()) if place is not None]
        while not all(place.is_done(self.ends) for place in places):
            self.ends = self.ends or is_asked()
            time.sleep(_BRIEF)


class _Place:
    """A file descriptor that a thread writes to.

    Args:
        fd: The descriptor.
        failed: Called on that thread if the descriptor cannot be written any more. Without this
            function, nothing happens then: a missing reader is no reason to end a training.

    Attributes:
        is_gone: Whether the descriptor cannot be written any more. Further output is dropped.
    """

    def __init__(self, fd: int, failed: Callable[[OSError], None] | None = None) -> None:
        self.is_gone = False
        self._fd = fd
        self._failed = failed
        self._queue: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0
        self._moved = time.monotonic()
        # A daemon: a write that never ends must not keep the process alive.
        threading.Thread(target=self._write, name=f"rekindle-output-{fd}", daemon=True).start()

    def put(self, data: bytes, ends: bool) -> None:
        is_full = self._waiting >= _MOST
        if self.is_gone or (is_full and self._stands_still(ends)):
            return
        with self._lock:
            if not self._waiting:
                self._moved = time.monotonic()
            self._waiting += len(data)
        self._queue.put(data)

    def accepts(self, ends: bool) -> bool:
        return self._waiting < _MOST or self._stands_still(ends)

    def is_done(self, ends: bool) -> bool:
        """Whether there is nothing left to wait for."""
        return not self._waiting or self._stands_still(ends)

    def _stands_still(self, ends: bool) -> bool:
        return ends and time.monotonic() - self._moved > _STILL

    def _write(self) -> None:
        while True:
            data = memoryview(self._queue.get())
            try:
                while data and not self.is_gone:
                    count = os.write(self._fd, data)
                    self._has_moved(count)
                    data = data[count:]
            except OSError as error:
                self.is_gone = True
                if self._failed is not None:
                    self._failed(error)
            self._has_moved(len(data))

    def _has_moved(self, count: int) -> None:
        with self._lock:
            self._waiting -= count
            self._moved = time.monotonic()


def open_to_write(path: str, flags: int) -> int:
    """Opens a file, a device, or a FIFO that has a reader. Never waits for a reader."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC | flags, 0o666)
    os.set_blocking(fd, True)
    return fd


def why_not_opened(error: OSError, path: str) -> str:
    """The reason, in words."""
    if error.errno == errno.ENXIO:
        with contextlib.suppress(OSError):
            if stat.S_ISFIFO(os.stat(path).st_mode):
                return "it is a FIFO that no process reads"
    return str(error.strerror)


def _ends_a_line(path: str) -> bool:
    """Whether the file is empty, or its last line is whole."""
    with contextlib.suppress(OSError):
        if os.path.isfile(path) and os.path.getsize(path):
            with open(path, "rb") as file:
                file.seek(-1, os.SEEK_END)
                return file.read() == b"\n"
    return True
