"""The live page: what a run is doing now. It loads itself again while the run goes on."""

from __future__ import annotations

from rekindle._base.durations import moment, spoken
from rekindle._inspection import words
from rekindle._inspection.moment import Now
from rekindle._inspection.pages import frame
from rekindle._inspection.pages.frame import safe

_STATES = {
    "waiting": ("Waiting for a run", ""),
    "running": ("Training", "good"),
    "unseen": ("It cannot be seen from here whether a run goes on", ""),
    "finished": ("Finished", "good"),
    "preempted": ("Preempted", "bad"),
    "stopped": ("Stopped", "bad"),
    "died": ("Died", "bad"),
    "ended": ("Ended", ""),
}
# Of the metrics of the checkpoint, so many.
_METRICS = 24


def html(now: Now, every: float | None) -> str:
    """The page.

    Args:
        now: What the run is doing.
        every: Seconds until the page is written again; ``None``: the run is not watched any more.
    """
    state, kind = _STATES[now.state]
    body = [
        f'<h1>{safe(now.directory)}</h1><p class="{kind}"><strong>{safe(state)}</strong></p>',
        _bar(now),
    ]
    if now.is_over:
        body.append(f"<p>{safe(words.ending(now))}</p>")
    if now.state != "waiting":
        body.append(frame.tiles(_tiles(now)))
    metrics = list(now.metrics.items())[:_METRICS]
    if metrics:
        body.append(f"<h2>Metrics at {safe(now.checkpoint)}</h2>")
        body.append(frame.tiles((name, words.number(value), "") for name, value in metrics))
    goes_on = every is not None and not now.is_over
    seen = f"As of {moment(now.time)}."
    if goes_on:
        seen += f" This page is written anew every {spoken(every or 0.0)}."
    elif not now.is_over:
        seen += " The run is not watched any more."
    body.append(f'<p class="faint">{safe(seen)}</p>')
    title = f"{words.place(now)} - {state}" if now.state != "waiting" else state
    return frame.page(title, body, again=every if goes_on else None)


def _bar(now: Now) -> str:
    if now.epoch is None or not now.epochs or not now.batches:
        return ""
    done = now.epoch * now.batches + (now.batch or 0)
    share = min(100.0, 100.0 * done / (now.epochs * now.batches))
    return (
        f'<div class="bar" role="progressbar" aria-valuenow="{share:.1f}" aria-valuemin="0"'
        f' aria-valuemax="100"><div style="width:{share:.2f}%"></div></div>'
    )


def _place(now: Now) -> list[tuple[str, str, str]]:
    if now.epoch is None or (now.epochs is not None and now.epoch >= now.epochs):
        return [("Place", words.place(now), "")]
    epochs = f"of {now.epochs}" if now.epochs else ""
    batches = f"of {now.batches}" if now.batches else ""
    return [("Epoch", str(now.epoch + 1), epochs), ("Batch", str(now.batch or 0), batches)]


def _tiles(now: Now) -> list[tuple[str, str, str]]:
    found = _place(now)
    if now.speed is not None:
        found.append(("Speed", words.speed(now), ""))
    if now.left is not None:
        found.append(("Time left", words.rough(now.left), "at this speed"))
    if now.loss is not None:
        found.append(("Loss", words.number(now.loss), "after one of the last batches"))
    if now.checkpoint is not None and now.saved is not None:
        age = words.rough(now.time - now.saved)
        found.append(("Last checkpoint", now.checkpoint, f"{age} old"))
    else:
        found.append(("Last checkpoint", "none", ""))
    if now.attempt is not None:
        found.append(("Attempt", str(now.attempt), ""))
    holder = now.holder
    if holder is not None and holder.pid is not None:
        found.append(("Process", str(holder.pid), f"on {holder.host or 'an unknown host'}"))
        if holder.started is not None:
            passed = words.rough(now.time - holder.started)
            found.append(("Began", f"{passed} ago", moment(holder.started)))
    if now.seen is not None and not now.is_over:
        found.append(("Last seen at work", f"{words.rough(now.time - now.seen)} ago", ""))
    return found
