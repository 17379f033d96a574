"""What a checkpoint says of itself to the run that resumes from it: what is not exact."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from rekindle._printable import printable
from rekindle._training.changes import AllowedChanges

# Anyone may have written the checkpoint.
_MOST, _LONGEST = 50, 1000

_EARLIER = "an earlier start of this run was not exact: "


def as_state(
    lost: Mapping[str, str], notes: Iterable[str], allowed: AllowedChanges
) -> dict[str, Any]:
    """Members of a state; none if the checkpoint is exact.

    Args:
        lost: What the checkpoint does not restore: ``Class.attribute`` and the reason.
        notes: What was not exact when the run resumed, and since then.
        allowed: The differences that the user means. The next start does not report them again.
    """
    reasons = [f"{name} {reason}".removesuffix(".") for name, reason in lost.items()]
    earlier = sorted(note for note in notes if not allowed.is_meant(note) and note not in reasons)
    found = {"lost": reasons, "notes": earlier}
    return {name: lines for name, lines in found.items() if lines}


def earlier(note: str) -> str:
    """The note of an earlier start, for the report of this one."""
    return _EARLIER + note.removeprefix(_EARLIER)


def of(state: Mapping[str, Any], known: Collection[str]) -> list[str]:
    """The sentences for a run that resumes with this state, beside those that it knows already."""
    notes = [note.removeprefix(_EARLIER) for note in _lines(state, "notes")]
    return _lines(state, "lost") + [earlier(note) for note in notes if note not in known]


def _lines(state: Mapping[str, Any], name: str) -> list[str]:
    found = state.get(name, [])
    lines = found[:_MOST] if isinstance(found, list) else []
    return [printable(line[:_LONGEST]) for line in lines if isinstance(line, str)]
