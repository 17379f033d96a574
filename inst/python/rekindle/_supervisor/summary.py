"""What became of a command, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rekindle._cli import text
from rekindle._saving.run_report import Place
from rekindle._supervisor.policy import how

# In words; a program has the JSON of every start.
_SHOWN = 20

_OUTCOMES = {
    "completed": "completed",
    "stopped": "stopped, and not started again",
    "gave_up": "gave up",
}


@dataclass(frozen=True)
class Start:
    """One start of the command.

    Attributes:
        began: POSIX seconds.
        seconds: How long it ran.
        status: As a shell has it: the exit code, or 128 and the signal's number.
        progress: Whether the backup came further than it ever was.
        place: The furthest save after it, or ``None``.
    """

    began: float
    seconds: float
    status: int
    progress: bool
    place: Place | None


@dataclass
class Summary:
    """All of them.

    Attributes:
        command: The program and its arguments.
        outcome: ``"completed"``, ``"stopped"`` because a signal asked for it, or ``"gave_up"``.
        why: A clause for the reader.
        status: What the runner exits with.
        directory: The folder with the furthest save, or ``None``.
        folders: All folders that were looked at.
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

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = text.plain({**vars(self), "starts": []})
        found["starts"] = [
            {**vars(start), "ended": how(start.status), "place": start.place and vars(start.place)}
            for start in self.starts
        ]
        return found

    def lines(self) -> list[str]:
        """In words."""
        told = [f"{_OUTCOMES[self.outcome]}: {self.why}"]
        if not self.was_started or (self.outcome == "completed" and len(self.starts) == 1):
            return told
        first = max(0, len(self.starts) - _SHOWN)
        if first:
            told.append(f"The last {_SHOWN} of {len(self.starts)} starts:")
        rows = [_row(first + index + 1, start) for index, start in enumerate(self.starts[first:])]
        told += text.table(["start", "began", "ran", "ended with", "furthest save", ""], rows)
        return told + self._advice()

    def _advice(self) -> list[str]:
        if self.outcome == "completed":
            return []
        if not self.folders:
            return (
                []
                if self.outcome == "stopped"
                else [
                    "No backup folder was seen: the command took none, so whether it moves forward"
                    " cannot be told. --backup DIR names one."
                ]
            )
        where = ", ".join(self.folders)
        if self.directory is None:
            return [f"Nothing was saved meanwhile in {where}."]
        return [f"The backup is in {self.directory}. The same command goes on from there."]


def _row(number: int, start: Start) -> list[str]:
    place = "-" if start.place is None else start.place.in_words()
    return [
        str(number),
        text.moment(start.began),
        duration(start.seconds),
        how(start.status),
        place,
        "further" if start.progress else "no further",
    ]


def duration(seconds: float) -> str:
    """A length of time in words."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
