"""Signals as data to read. The handlers do nothing, and each signal is seen once."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any

# The signals that the supervisor passes on to the command.
PASSED_ON = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2")


class Signals:
    """From the beginning of a ``with`` statement to its end, signals come as numbers.

    Attributes:
        fd: A file descriptor that is readable when there are signals.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        self.fd, self._write = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write, False)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for name in PASSED_ON:
            number = getattr(signal, name)
            # An ignored signal, such as SIGHUP under nohup, stays ignored, here and in the command.
            if signal.getsignal(number) != signal.SIG_IGN:
                self._listen(number)
        # If SIGCHLD were ignored, the exit status of the command would be lost.
        self._listen(signal.SIGCHLD)
        return self

    def _listen(self, number: int) -> None:
        self._before[number] = signal.signal(number, _nothing)

    def taken(self) -> list[int]:
        """The signals since the last call, in their order, without SIGCHLD."""
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return []
        return [number for number in data if number != signal.SIGCHLD]

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self.fd)
        os.close(self._write)


def _nothing(number: int, frame: FrameType | None) -> None:
    """Does nothing: the byte in the pipe is enough."""
