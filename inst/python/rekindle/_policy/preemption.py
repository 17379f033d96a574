"""What a signal that announces the end of the process is answered by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preemption:
    """What a signal that announces the end is answered by.

    Attributes:
        signals: Names of signals.
        stops: Whether training stops after the save, or goes on.
        exit_code: The process' exit status when it stops.
        grace: Seconds between such a signal and the kill that usually follows.
    """

    signals: tuple[str, ...]
    stops: bool
    exit_code: int
    grace: float
