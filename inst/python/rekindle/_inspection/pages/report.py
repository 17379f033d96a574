"""The report of a run: metrics over the epochs, attempts, settings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from rekindle._base.durations import moment, spoken
from rekindle._format.witness import Record
from rekindle._inspection import lookup, words
from rekindle._inspection.pages import chart, frame
from rekindle._inspection.pages.chart import Break, Line
from rekindle._inspection.pages.frame import safe
from rekindle._inspection.recorded import Run
from rekindle._inspection.results import History
from rekindle._saving.attempts import Attempts

# So many charts, and single batches from so many on.
_CHARTS, _BATCHES = 40, 8
# So many times the usual distance of two batches is a gap.
_GAP = 10
# No fit() has a later epoch, but a forged history may.
_LAST = 1e15
_AXIS = "epochs done"
_VALIDATION = "val_"

_ENDED = {
    "running": "goes on",
    "complete": "complete",
    "preempted": "preempted",
    "stopped": "stopped",
    "died": "died",
    "unknown": "not known",
}


def html(run: Run) -> str:
    """The page."""
    now, attempts = run.now, run.attempts
    breaks = _breaks(attempts, is_over=now.is_over)
    summary = words.ending(now) if now.is_over else f"The run goes on: {words.place(now)}."
    body = [
        f"<h1>Training run in {safe(now.directory)}</h1>",
        f'<p class="faint">As of {moment(now.time)}</p>',
        f"<p>{safe(summary)}</p>",
        frame.tiles(_tiles(run)),
        *_metrics(run, breaks),
        *_attempts(attempts),
        *_settings(run),
    ]
    return frame.page(f"Training run in {now.directory}", body)


def _tiles(run: Run) -> Iterator[tuple[str, str, str]]:
    now, attempts = run.now, run.attempts
    yield "Epochs done", str(now.epoch or 0), f"of {now.epochs}" if now.epochs else ""
    if now.checkpoint is not None:
        yield "Last checkpoint", now.checkpoint, moment(now.saved)
    if not attempts.rows:
        return
    rows = range(len(attempts.rows))
    yield "Attempts", str(attempts.rows[-1].number), ""
    again = [attempts.again(index) for index in rows]
    if None not in again:
        yield "Batches trained again", str(sum(one or 0 for one in again)), "after a failure"
    yield "Lost to failures", spoken(sum(attempts.lost(index) or 0.0 for index in rows)), ""
    yield "Lost to saving", spoken(sum(row.held for row in attempts.rows)), "training waited"


def _metrics(run: Run, breaks: Sequence[Break]) -> Iterator[str]:
    yield "<h2>Metrics</h2>"
    figures = []
    groups = _groups(run.history) if run.history is not None else {}
    for name, lines in list(groups.items())[:_CHARTS]:
        figures.append(_figure(name, chart.drawn(lines, breaks, _AXIS)))
    steps = _step_line(run)
    if steps is not None:
        title = "loss within epochs, as far as it was noted"
        figures.append(_figure(title, chart.drawn([steps], breaks, _AXIS)))
    if not figures:
        yield '<p class="faint">No checkpoint has the end of an epoch yet.</p>'
        return
    yield _key(groups, breaks)
    yield f'<div class="charts">{"".join(figures)}</div>'
    if len(groups) > _CHARTS:
        yield f'<p class="faint">The first {_CHARTS} of {len(groups)} metrics are drawn.</p>'


def _figure(title: str, drawing: str) -> str:
    return f"<figure><figcaption>{safe(title[:200])}</figcaption>{drawing}</figure>\n"


def _groups(history: History) -> dict[str, list[Line]]:
    """The lines of each metric: of training, and of validation."""
    found: dict[str, list[Line]] = {}
    for name, values in history.metrics.items():
        is_validation = name.startswith(_VALIDATION) and name != _VALIDATION
        metric = name[len(_VALIDATION) :] if is_validation else name
        epochs = history.epochs.get(name, [])
        points = [
            (float(epoch + 1), number)
            for epoch, value in zip(epochs, values, strict=False)
            if epoch is not None and epoch < _LAST and (number := _number(value)) is not None
        ]
        if points:
            line = Line("validation" if is_validation else "training", points)
            found.setdefault(metric, []).append(line)
    # Training first: it has the first color.
    return {name: sorted(lines, key=lambda one: one.name) for name, lines in found.items()}


def _number(value: Any) -> float | None:
    found = lookup.plain_value(value)
    try:
        return float(found) if isinstance(found, int | float) else None
    except OverflowError:
        return None


def _step_line(run: Run) -> Line | None:
    """The losses in the witness; of a batch that was trained twice, the newer one."""
    batches, newest = run.attempts.batches, dict[tuple[int, int], Record]()
    for one in run.steps:
        newest[one.epoch, one.batch] = one
    if batches is None or len(newest) < _BATCHES:
        return None
    found = [
        (epoch + (batch + 1) / batches, newest[epoch, batch].loss)
        for epoch, batch in sorted(newest)
    ]
    steps = [later - x for (x, _), (later, _) in itertools.pairwise(found)]
    usual, points = sorted(steps)[len(steps) // 2], found[:1]
    for point, step in zip(found[1:], steps, strict=True):
        if step > _GAP * usual:
            # Records of these batches are gone. A line over the gap would look like losses.
            points.append((point[0], math.nan))
        points.append(point)
    return Line("training", points)


def _breaks(attempts: Attempts, *, is_over: bool) -> list[Break]:
    found, rows = [], attempts.rows
    for before, row in itertools.pairwise(rows):
        how = _ENDED[before.ended]
        source = "afresh" if row.checkpoint is None else f"from checkpoint {row.checkpoint}"
        remark = (
            f"Attempt {before.number}: {how}, {moment(before.until)}. Attempt {row.number} began"
            f" {source}, {moment(row.began)}."
        )
        ends = _across(attempts, before.end), _across(attempts, row.start)
        found.append(Break(*ends, how if before.ended != "unknown" else "ended", remark))
    if rows and is_over and rows[-1].ended not in ("complete", "running"):
        last, how = rows[-1], _ENDED[rows[-1].ended]
        at = _across(attempts, last.end)
        remark = f"Attempt {last.number}: {how}, {moment(last.until)}."
        found.append(Break(at, at, how, remark))
    return found


def _across(attempts: Attempts, place: tuple[int, int]) -> float:
    epoch, batch = place
    if attempts.batches is None:
        return epoch + (0.5 if batch else 0.0)
    return epoch + min(1.0, batch / attempts.batches)


def _key(groups: dict[str, list[Line]], breaks: Sequence[Break]) -> str:
    names = {line.name for lines in groups.values() for line in lines} | {"training"}
    items = []
    for name, color in (("training", "--one"), ("validation", "--two")):
        if name in names:
            style = f"stroke:var({color});stroke-width:2.5"
            items.append((f'<line x1="0" y1="6" x2="26" y2="6" style="{style}"/>', name))
    if breaks:
        style = "stroke:var(--faint);stroke-dasharray:4 3;stroke-width:1.5"
        items.append((f'<line x1="13" y1="0" x2="13" y2="12" style="{style}"/>', "an attempt ends"))
        band = '<rect width="26" height="12" style="fill:var(--band)"/>'
        items.append((band, "trained again by the next attempt"))
    rows = [f'<li><svg viewBox="0 0 26 12">{mark}</svg>{name}</li>' for mark, name in items]
    return f'<ul class="key">{"".join(rows)}</ul>'


def _attempts(attempts: Attempts) -> Iterator[str]:
    yield "<h2>Attempts</h2>"
    if not attempts.rows:
        yield (
            '<p class="faint">The checkpoint does not record attempts: an earlier version of'
            " rekindle wrote it, or it is not of a fit().</p>"
        )
        return
    header = (
        "attempt",
        "began",
        "last seen",
        "end",
        "resumed from",
        "batches",
        "trained again",
        "lost to failure",
        "lost to saving",
        "compared",
    )
    rows = []
    for index, row in enumerate(attempts.rows):
        lost = attempts.lost(index)
        source = "-" if row.checkpoint is None else f"checkpoint {row.checkpoint}"
        rows.append(
            (
                str(row.number),
                moment(row.began),
                moment(row.until),
                _ENDED[row.ended],
                source,
                _count(attempts.between(row.start, row.end)),
                _count(attempts.again(index)),
                "-" if lost is None else spoken(lost),
                spoken(row.held) if row.held else "-",
                row.evidence or "-",
            )
        )
    yield frame.table(header, rows, texts=(1, 2, 3, 4, 9))
    yield (
        '<p class="faint">Lost to failure: from the checkpoint that the attempt resumed from to the'
        " attempt's begin, which is work that was lost and time in which nothing ran. Lost to"
        " saving: how long training waited for checkpoints, up to the attempt's last one. Compared:"
        " whether batches, losses and metrics that were trained again equal those of the attempt"
        " before, as of the attempt's last checkpoint.</p>"
    )


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)


def _settings(run: Run) -> Iterator[str]:
    if not run.settings:
        return
    yield "<h2>Settings</h2>"
    rows = "".join(
        f"<tr><td>{safe(name)}</td><td>{safe(value)}</td></tr>\n" for name, value in run.settings
    )
    yield f'<table class="settings"><tbody>{rows}</tbody></table>'
