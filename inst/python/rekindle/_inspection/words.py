"""What a run is doing now, in words: the parts of a line, and the sentence at its end."""

from __future__ import annotations

import math
from typing import Any

from rekindle._base.durations import spoken
from rekindle._inspection.moment import Now
from rekindle._printable import printable

# After so many seconds without a batch, the line says so.
_QUIET = 10.0
# So many metrics of the last checkpoint, and so many letters of a name.
_METRICS, _LETTERS = 4, 24

_ENDS = {
    "preempted": "The run was asked to end. It has saved, and ended",
    "stopped": "The run was stopped by an error or by its user",
    "died": "The process of the run is gone, and the run was not complete",
    "ended": "No process has locked the folder any more",
}


def parts(now: Now) -> list[str]:
    """The line, in parts: place, speed, time left, loss, checkpoint, attempt."""
    if now.state == "waiting":
        return [printable(f"waiting for a run to begin in {now.directory}")]
    found = [place(now), *_pace(now)]
    if now.loss is not None:
        found.append(f"loss {number(now.loss)}")
    found.append(_checkpoint(now))
    if now.attempt is not None:
        found.append(f"attempt {now.attempt}")
    shown = [f"{name[:_LETTERS]} {number(value)}" for name, value in now.metrics.items()]
    if shown and (now.loss is None or len(shown) > 1):
        found.append("at the checkpoint: " + ", ".join(shown[:_METRICS]))
    return [printable(part) for part in found]


def place(now: Now) -> str:
    """How far the run is, counted as Keras' progress bar counts."""
    if now.epoch is None:
        if now.step is not None:
            return f"step {now.step}"
        return "started, and has not trained yet" if now.state == "running" else "not known"
    if now.epochs is not None and now.epoch >= now.epochs and not now.batch:
        return f"all {now.epochs} epochs done" if now.epochs > 1 else "the only epoch done"
    epoch = f"epoch {now.epoch + 1}" + (f" of {now.epochs}" if now.epochs else "")
    return f"{epoch}, batch {now.batch or 0}" + (f" of {now.batches}" if now.batches else "")


def _pace(now: Now) -> list[str]:
    found = []
    if now.speed is not None:
        found.append(speed(now))
    if now.left is not None:
        found.append(f"{rough(now.left)} left")
    quiet = 0.0 if now.seen is None else now.time - now.seen
    if not now.is_over and now.epoch is not None and quiet >= _QUIET:
        found.append(f"no batch for {rough(quiet)}")
    return found


def speed(now: Now) -> str:
    """The speed: so many batches or steps in a second or, if they are slow, seconds for each."""
    unit = ("steps", "step") if now.epoch is None else ("batches", "batch")
    found = now.speed or 0.0
    if found <= 0:
        return "-"
    return f"{figures(found)} {unit[0]}/s" if found >= 1 else f"{spoken(1 / found)} per {unit[1]}"


def _checkpoint(now: Now) -> str:
    if now.checkpoint is None or now.saved is None:
        return "no checkpoint yet" if not now.is_over else "no checkpoint"
    return f"{now.checkpoint}, {rough(now.time - now.saved)} old"


def ending(now: Now) -> str:
    """How the run has ended, in a sentence or two."""
    if now.state == "finished":
        if now.checkpoint is None:
            return printable(
                "The backup is gone, as a training removes it once it is complete. The run was last"
                f" seen here: {place(now)}."
            )
        return printable(f"The run has finished: {place(now)}.")
    told = f"{_ENDS[now.state]}: {place(now)}."
    if now.checkpoint is not None:
        told += f" The same script resumes from {now.checkpoint}."
    return printable(told)


def rough(seconds: float) -> str:
    """A length of time to look at while it changes: whole seconds, or three figures."""
    return f"{max(0.0, seconds):.0f} s" if seconds < 120 else spoken(seconds)


def figures(value: float) -> str:
    """Three figures, and never an exponent for a large number."""
    return f"{value:.0f}" if 100 <= abs(value) < 1e15 else f"{value:.3g}"


def number(value: Any) -> str:
    """A metric's value, in four figures."""
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else str(value)
    return str(value)[:_LETTERS]
