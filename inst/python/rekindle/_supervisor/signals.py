"""Signals as something to read: nothing is done in a handler, and each one is seen once."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any

# Those that are passed on to the command.
PASSED_ON = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2")


class Signals:
    """From the beginning of a ``with`` statement to its end, signals come as numbers.

    Attributes:
        fd: Readable when there are some.
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
            # What is ignored, as SIGHUP is under nohup, stays so, here and in the command.
            if signal.getsignal(number) != signal.SIG_IGN:
                self._listen(number)
        # Ignored, it would take the exit status with it.
        self._listen(signal.SIGCHLD)
        return self

    def _listen(self, number: int) -> None:
        self._before[number] = signal.signal(number, _nothing)

    def taken(self) -> list[int]:
        """The signals since the last call, in their order, SIGCHLD left out."""
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
    """The byte in the pipe is all there is to it."""
