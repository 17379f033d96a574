"""The summary of a command: each of its starts, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rekindle._saving.run_report import Place


@dataclass(frozen=True)
class Start:
    """One start of the command.

    Attributes:
        began: POSIX seconds.
        seconds: How long it ran.
        status: As a shell has it: the exit code, or 128 plus the signal's number.
        progress: Whether the backup came further than it ever was.
        place: The furthest checkpoint after this start, or ``None``.
    """

    began: float
    seconds: float
    status: int
    progress: bool
    place: Place | None


@dataclass
class Summary:
    """All starts of a command, and the result.

    Attributes:
        command: The program and its arguments.
        outcome: ``"completed"``, ``"stopped"`` because a signal asked for it, or ``"gave_up"``.
        why: The reason, as a clause for the reader.
        status: The exit status of the supervisor.
        directory: The folder with the furthest checkpoint, or ``None``.
        folders: All folders that were read.
        was_started: Whether the system could start the command.
        starts: Each start.
    """

    command: Sequence[str]
    outcome: str = "stopped"
    why: str = ""
    status: int = 0
    directory: str | None = None
    folders: Sequence[str] = ()
    was_started: bool = True
    starts: list[Start] = field(default_factory=list)


def duration(seconds: float) -> str:
    """A length of time in words."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
