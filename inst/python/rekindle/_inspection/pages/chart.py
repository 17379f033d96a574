"""A chart of one metric over the epochs, as SVG: once for wide screens, once for narrow ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rekindle._inspection.pages.frame import safe
from rekindle._inspection.words import figures

# A line is drawn through so many points at most, and its points are marked up to so many.
_MOST, _MARKED = 600, 40
# Above so many ends of attempts, they have no names.
_NAMED = 5


@dataclass(frozen=True)
class Line:
    """One line: its name, and its points. `y` may be a number that cannot be drawn."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Break:
    """Where an attempt ended, and where the next one began: at most where that one ended.

    Attributes:
        end: Epochs done at the end.
        start: Epochs done where the next attempt began.
        name: How it ended, in a word.
        remark: More about it.
    """

    end: float
    start: float
    name: str
    remark: str


def drawn(lines: Sequence[Line], breaks: Sequence[Break], label: str) -> str:
    """The chart; a sentence if there is nothing to draw.

    Args:
        lines: One line or two.
        breaks: The ends of attempts.
        label: What the x axis counts.
    """
    kept = [Line(line.name, _thinned(line.points)) for line in lines]
    finite = [(x, y) for line in kept for x, y in line.points if _is_drawn(y)]
    if not finite:
        return '<p class="faint">There is no number to draw.</p>'
    wide = _Plot(640, 300, finite, breaks, "wide")
    narrow = _Plot(360, 260, finite, breaks, "narrow")
    return wide.svg(kept, breaks, label) + narrow.svg(kept, breaks, label)


def _is_drawn(y: float) -> bool:
    """Whether a number can be drawn; the differences of larger ones are not finite."""
    return abs(y) < 1e300


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points, or of many the lowest and the highest of each piece, so that no peak is lost."""
    if len(points) <= _MOST:
        return list(points)
    size = math.ceil(len(points) / (_MOST // 2))
    found: list[tuple[float, float]] = []
    for start in range(0, len(points), size):
        piece = [one for one in points[start : start + size] if _is_drawn(one[1])]
        if len(piece) < len(points[start : start + size]):
            found.append((points[start][0], math.nan))
        if piece:
            ends = {min(piece, key=lambda one: one[1]), max(piece, key=lambda one: one[1])}
            found += sorted(ends)
    return found


class _Plot:
    """A chart of one size.

    Args:
        width: Width, in units of the drawing.
        height: Height.
        finite: All points that can be drawn.
        breaks: The ends of attempts.
        name: The class of the drawing.
    """

    def __init__(
        self,
        width: int,
        height: int,
        finite: Sequence[tuple[float, float]],
        breaks: Sequence[Break],
        name: str,
    ) -> None:
        self._width, self._height, self._name = width, height, name
        ends = [one.end for one in breaks] + [one.start for one in breaks]
        self._x_ticks = ticks([x for x, _ in finite] + ends, width // 90, whole=True)
        self._y_ticks = ticks([y for _, y in finite], height // 55)
        self._names = [_short(y, self._y_ticks) for y in self._y_ticks]
        # Room for the numbers of the y axis: about 7 units a sign.
        self._left = 14 + 7 * max(map(len, self._names))
        self._right, self._top, self._bottom = 12, 20, 40
        xs = [x for x, _ in finite] + ends
        self._x = _range(min(xs), max(xs))
        self._y = self._y_ticks[0], self._y_ticks[-1]

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return self._across(x), self._down(y)

    def _across(self, x: float) -> float:
        low, high = self._x
        room = self._width - self._left - self._right
        return round(self._left + room * (x - low) / (high - low), 1)

    def _down(self, y: float) -> float:
        low, high = self._y
        room = self._height - self._top - self._bottom
        return round(self._height - self._bottom - room * (y - low) / (high - low), 1)

    def svg(self, lines: Sequence[Line], breaks: Sequence[Break], label: str) -> str:
        names = " and ".join(line.name for line in lines)
        parts = [
            f'<svg class="{self._name}" viewBox="0 0 {self._width} {self._height}" role="img"'
            f' aria-label="{safe(names)} by {safe(label)}">'
        ]
        parts += self._axes(label)
        parts += self._breaks(breaks)
        for line, color in zip(lines, ("--one", "--two"), strict=False):
            parts += self._line(line, color)
        return "".join([*parts, "</svg>"])

    def _axes(self, label: str) -> list[str]:
        right, bottom = self._width - self._right, self._height - self._bottom
        found = []
        for y, name in zip(self._y_ticks, self._names, strict=True):
            at = self._down(y)
            found.append(_stroke((self._left, at), (right, at), "stroke:var(--line)"))
            found.append(_text(self._left - 6, at + 4, name, "end"))
        for x in self._x_ticks:
            if self._x[0] <= x <= self._x[1]:
                at = self._across(x)
                found.append(_stroke((at, bottom), (at, bottom + 4), "stroke:var(--faint)"))
                found.append(_text(at, bottom + 18, _short(x, self._x_ticks), "middle"))
        found.append(_stroke((self._left, bottom), (right, bottom), "stroke:var(--faint)"))
        found.append(_text((self._left + right) / 2, self._height - 6, label, "middle"))
        return found

    def _breaks(self, breaks: Sequence[Break]) -> list[str]:
        top, bottom = self._top, self._height - self._bottom
        found, named = [], -math.inf
        for one in breaks:
            start, end = self._across(min(one.start, one.end)), self._across(one.end)
            remark = f"<title>{safe(one.remark)}</title>"
            found.append(
                f'<rect x="{start}" y="{top}" width="{max(0.0, round(end - start, 1))}"'
                f' height="{bottom - top}" style="fill:var(--band)">{remark}</rect>'
            )
            style = "stroke:var(--faint);stroke-dasharray:4 3;stroke-width:1.5"
            found.append(_stroke((end, top), (end, bottom), style, remark))
            # A name needs about 6 units a sign, and must not run into the one before.
            half = 3.2 * len(one.name)
            at = min(max(end, self._left + half), self._width - self._right - half)
            if len(breaks) <= _NAMED and at - half > named:
                found.append(_text(at, top - 6, one.name, "middle"))
                named = at + half + 6
        return found

    def _line(self, line: Line, color: str) -> list[str]:
        found: list[str] = []
        for run in _runs(line.points):
            points = " ".join("{},{}".format(*self._at(x, y)) for x, y in run)
            found.append(
                f'<polyline points="{points}" style="fill:none;stroke:var({color});stroke-width:2;'
                'stroke-linejoin:round;stroke-linecap:round"/>'
            )
            is_marked = len(line.points) <= _MARKED or len(run) == 1
            for x, y in run if is_marked else ():
                across, down = self._at(x, y)
                found.append(
                    f'<circle cx="{across}" cy="{down}" r="3" style="fill:var({color})">'
                    f"<title>{safe(line.name)}, {x:g}: {y:.6g}</title></circle>"
                )
        return found


def _runs(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Pieces of a line between numbers that cannot be drawn."""
    found: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if _is_drawn(y):
            found[-1].append((x, y))
        elif found[-1]:
            found.append([])
    return [run for run in found if run]


def _stroke(
    start: tuple[float, float], end: tuple[float, float], style: str, inner: str = ""
) -> str:
    return (
        f'<line x1="{start[0]:g}" y1="{start[1]:g}" x2="{end[0]:g}" y2="{end[1]:g}"'
        f' style="{style}">{inner}</line>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{safe(text)}</text>'


def _range(low: float, high: float) -> tuple[float, float]:
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def ticks(values: Sequence[float], most: int, *, whole: bool = False) -> list[float]:
    """Round numbers, evenly spaced, from at most the least value to at least the greatest.

    Args:
        values: Finite numbers, at least one.
        most: About how many numbers there may be.
        whole: Whether only whole numbers are wanted.
    """
    low, high = min(values), max(values)
    # Numbers so close that their differences are lost, or so far apart that those overflow.
    if not high - low > 1e-12 * max(abs(low), abs(high)):
        room = abs(low) / 2 or 0.5
        low, high = low - room, high + room
    rough = (high - low) / max(1, most)
    if not 1e-300 < rough < math.inf:
        return [low, high]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((m * power for m in (1, 2, 5) if m * power >= rough * 0.999), 10 * power)
    if whole:
        step = max(1.0, step)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _short(value: float, all_: Sequence[float]) -> str:
    """A number of an axis, with as many figures as tell it from its neighbors."""
    step = abs(all_[1] - all_[0]) if len(all_) > 1 else 1.0
    largest = max(map(abs, all_))
    if largest >= 1e6 or step < 1e-4:
        digits = math.ceil(math.log10(largest / step)) if step and largest else 2
        mantissa, _, power = f"{value:.{min(max(digits, 1), 12)}e}".partition("e")
        return f"{mantissa}e{int(power)}" if value else "0"
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:.{digits}f}" if digits else figures(round(value))
