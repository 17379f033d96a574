"""What the command writes, passed through and kept in the log; and what the runner says."""

from __future__ import annotations

import contextlib
import os
import sys
import time

from rekindle.errors import ArgumentError


class Output:
    """The log, and the runner's own standard output and error.

    Args:
        log: A file to append to, or ``None``.

    Raises:
        ArgumentError: The log cannot be opened.
    """

    def __init__(self, log: str | None) -> None:
        self._log: int | None = None
        self._at_line_start = log is None or _ends_a_line(log)
        self._gone: set[int] = set()
        if log is not None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            try:
                self._log = os.open(log, flags, 0o666)
            except OSError as error:
                raise ArgumentError(
                    f"The log {log!r} cannot be opened: {error.strerror}. Give a file that can be"
                    " written, in a folder that is there.",
                    argument="log",
                    value=log,
                ) from error

    @property
    def is_kept(self) -> bool:
        """Whether there is a log."""
        return self._log is not None

    def pass_through(self, fd: int, data: bytes) -> None:
        """Writes to standard output (1) or error (2), and to the log."""
        if fd not in self._gone:
            try:
                _write(fd, data)
            except OSError:
                # Nobody reads there any more. That is no reason to end a training.
                self._gone.add(fd)
        self.note(data)

    def note(self, data: bytes) -> None:
        """Writes to the log alone."""
        if self._log is None or not data:
            return
        try:
            _write(self._log, data)
            self._at_line_start = data.endswith(b"\n")
        except OSError as error:
            self.close()
            self.say(f"the log cannot be written any more: {error.strerror}; the command goes on")

    def header(self, text: str) -> None:
        """A line of the runner's in the log, on a line of its own."""
        moment = time.strftime("%Y-%m-%d %H:%M:%S")
        start = "" if self._at_line_start else "\n"
        self.note(f"{start}=== rekindle {moment}: {text}\n".encode(errors="replace"))

    def say(self, text: str) -> None:
        """A line of the runner's on standard error, and in the log."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"rekindle: {text}\n")
            sys.stderr.flush()
        self.header(text)

    def close(self) -> None:
        if self._log is not None:
            os.close(self._log)
            self._log = None


def _ends_a_line(path: str) -> bool:
    """Whether the file is empty, or its last line is whole."""
    with contextlib.suppress(OSError):
        if os.path.isfile(path) and os.path.getsize(path):
            with open(path, "rb") as file:
                file.seek(-1, os.SEEK_END)
                return file.read() == b"\n"
    return True


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
