"""The output of the commands: columns for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from rekindle._base.durations import moment
from rekindle._printable import encodable, printable

__all__ = ["age", "moment", "number", "plain", "say", "say_json", "size", "table"]

# The most values of an array among the metrics. Of a longer array, only dtype and shape are shown.
_MOST_VALUES = 1000


def say(*lines: str) -> None:
    """Writes lines for people. Escapes names in them that are not safe to print."""
    shown = "".join(f"{printable(line)}\n" for line in lines)
    sys.stdout.write(encodable(shown, sys.stdout.encoding))


def say_json(value: Any) -> None:
    """Writes JSON, which is ASCII."""
    sys.stdout.write(json.dumps(plain(value), indent=2) + "\n")


def plain(value: Any) -> Any:
    """Turns the value into JSON values: NaN and infinities become "nan", "inf" and "-inf"."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, np.ndarray | np.generic):
        # An array without values can have any number of empty rows.
        is_short = value.size <= _MOST_VALUES and max(value.shape, default=0) <= _MOST_VALUES
        return plain(value.tolist()) if is_short else f"{value.dtype} {value.shape}"
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of columns. The first, and those without a header, are left-aligned, others right."""
    lines = [[printable(cell) for cell in line] for line in (header, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return [
        "  ".join(
            cell.rjust(width) if column and header[column] else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    for factor, unit in ((1e3, "kB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB")):
        if count < 999.5 * factor or unit == "TB":
            break
    return f"{count / factor:.3g} {unit}"


def age(since: float) -> str:
    """How long ago that was, in words. If the clock was set back, the result is 0 seconds."""
    seconds = max(0.0, time.time() - since)
    for length, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= length or unit == "second":
            count = int(seconds // length)
            break
    return f"{count} {unit}{'' if count == 1 else 's'}"


def number(value: Any) -> str:
    """A metric's value, or a count; "-" if there is none."""
    if value is None:
        return "-"
    if isinstance(value, bool | str | int):
        return str(value)
    try:
        return f"{float(value):.4g}"
    except (TypeError, ValueError):
        return "..."
