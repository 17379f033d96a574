"""The summary of all starts of a command, for people and for programs."""

from __future__ import annotations

from typing import Any

from rekindle._cli import text
from rekindle._supervisor.policy import how
from rekindle._supervisor.summary import Start, Summary, duration

# The most starts in the summary for people. The JSON for programs has every start.
_SHOWN = 20

_OUTCOMES = {
    "completed": "completed",
    "stopped": "stopped, and not started again",
    "gave_up": "gave up",
}


def as_json(summary: Summary) -> dict[str, Any]:
    found: dict[str, Any] = text.plain({**vars(summary), "starts": []})
    found["starts"] = [
        {**vars(start), "ended": how(start.status), "place": start.place and vars(start.place)}
        for start in summary.starts
    ]
    return found


def lines(summary: Summary) -> list[str]:
    """The summary in words."""
    told = [f"{_OUTCOMES[summary.outcome]}: {summary.why}"]
    if not summary.was_started or (summary.outcome == "completed" and len(summary.starts) == 1):
        return told
    first = max(0, len(summary.starts) - _SHOWN)
    if first:
        told.append(f"The last {_SHOWN} of {len(summary.starts)} starts:")
    rows = [_row(first + index + 1, start) for index, start in enumerate(summary.starts[first:])]
    told += text.table(["start", "began", "ran", "ended with", "furthest checkpoint", ""], rows)
    return told + _advice(summary)


def _advice(summary: Summary) -> list[str]:
    if summary.outcome == "completed":
        return []
    if not summary.folders:
        return (
            []
            if summary.outcome == "stopped"
            else [
                "The supervisor saw no backup folder, because the command locked none. So it"
                " cannot measure progress. Name the folder with --backup DIR."
            ]
        )
    where = ", ".join(summary.folders)
    if summary.directory is None:
        return [f"No checkpoint was written in {where} meanwhile."]
    return [f"The backup is in {summary.directory}. The same command resumes from it."]


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
