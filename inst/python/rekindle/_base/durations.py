"""Durations as users write them: "10 min", "90 s", "1 h 30 min"; and moments."""

from __future__ import annotations

import datetime
import math
import re
import time
from typing import Any

from rekindle._base import checks

ACCEPTED = "a time such as '90 s', '10 min', '1.5 h' or '1 day' (or a datetime.timedelta)"

_SECONDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}
_PART = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]+)\s*", re.IGNORECASE | re.ASCII)


def parse(value: Any) -> float | None:
    """The seconds in a text or a ``timedelta``; ``None`` if it is not a duration above 0."""
    if isinstance(value, datetime.timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, str):
        seconds = _of_text(value)
    else:
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def _of_text(text: str) -> float:
    """The seconds in a text of numbers with units; 0 for any other text."""
    total, place = 0.0, 0
    while place < len(text):
        part = _PART.match(text, place)
        unit = None if part is None else _SECONDS.get(part[2].lower())
        if part is None or unit is None:
            return 0.0
        total += float(part[1]) * unit
        place = part.end()
    return total


def seconds(name: str, value: Any) -> float | None:
    """Checks an argument: a duration, a number of seconds above 0, or ``None``."""
    if value is None:
        return None
    is_number = checks.is_number(value) and math.isfinite(value) and value > 0
    found = float(value) if is_number else parse(value)
    if found is None:
        raise checks.invalid(name, value, f"a number of seconds above 0, {ACCEPTED}, or None")
    return found


def spoken(seconds: float) -> str:
    """The duration for people to read: "0.12 s", "48 s", "12 min", "3.5 h"."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s" if seconds >= 0.01 else f"{1000 * seconds:.2g} ms"


def moment(posix: float | None) -> str:
    """The local time; its POSIX seconds if the system cannot format a time so far away.

    Args:
        posix: POSIX seconds; ``None`` for a time that is not known, which is "-".
    """
    if posix is None:
        return "-"
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(posix))
    except (OverflowError, ValueError, OSError):
        return f"{posix:.0f} s"
