"""``python -m rekindle watch``: a line that says what a run is doing, until the run ends."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time

from rekindle._cli import codes, text
from rekindle._inspection import now as looking
from rekindle._inspection import words
from rekindle._inspection.moment import Now
from rekindle._inspection.now import Watcher
from rekindle._inspection.pages import files, live
from rekindle._printable import encodable

HELP = "show a run while it goes on: epoch, batch, speed, time left, last checkpoint"

DESCRIPTION = """\
Shows a run while it goes on, in a line that is written anew every --every seconds: epoch and batch
(counted from 1, as Keras' progress bar does), speed, time left, the loss after one of the last
batches, the newest checkpoint and its age, and how many attempts there have been. If the output is
no terminal, a new line is written whenever the run has moved.

watch ends when the run ends, and says how: it has finished, it was preempted, it was stopped, or no
process has locked the folder any more. If there is no run in the folder yet, watch waits for one.
Ctrl-C ends watch, and not the run.

watch never takes the folder's lock, writes nothing into the folder, and does not slow the training.
"""

EPILOG = f"""\
exit codes:
  {codes.WHOLE}    the run has finished
  {codes.FAILED}    the run has ended in another way, or the system refused to read
  {codes.USAGE}    the command line is invalid
  130  Ctrl-C ended watch

With --json, each look is one line of JSON.
"""
_INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--every",
        metavar="SECONDS",
        type=_seconds,
        default=1.0,
        help="seconds between two looks (default: %(default)g)",
    )
    parser.add_argument(
        "--page",
        metavar="FILE.html",
        help="also write a page for a browser, which loads itself again while the run goes on",
    )


def run(arguments: argparse.Namespace) -> int:
    show = _Json() if arguments.json else _Line()
    watcher = Watcher(arguments.directory)
    page = None
    if arguments.page is not None:
        page = files.Page(arguments.page, arguments.directory)
    try:
        while True:
            now = watcher.look()
            show.look(now)
            if page is not None:
                page.write(live.html(now, arguments.every))
            if now.is_over:
                break
            time.sleep(arguments.every)
    except KeyboardInterrupt:
        show.end(None)
        return _INTERRUPTED
    show.end(now)
    return codes.WHOLE if now.state == "finished" else codes.FAILED


class _Json:
    """One line of JSON for each look."""

    def look(self, now: Now) -> None:
        row = {**text.plain(now), "line": words.parts(now)}
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()

    def end(self, now: Now | None) -> None:
        """The last line has the state already."""


class _Line:
    """A line that is written again in its place; without a terminal, a line for each change."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._before: object = None
        has_dot = encodable("·", sys.stdout.encoding) == "·"
        self._between = " · " if has_dot else " | "

    def look(self, now: Now) -> None:
        parts = words.parts(now)
        if now.state == "waiting":
            parts.append("Ctrl-C ends watch")
        shown = encodable(self._between.join(parts), sys.stdout.encoding)
        if self._is_terminal:
            width = shutil.get_terminal_size().columns
            # Back to the first column, and clear what is left of the line before.
            sys.stdout.write(f"\r{_cut(shown, width - 1)}\x1b[K")
            sys.stdout.flush()
            return
        place = (now.state, now.attempt, now.epoch, now.batch, now.step, now.checkpoint)
        if place != self._before:
            self._before = place
            sys.stdout.write(shown + "\n")
            sys.stdout.flush()

    def end(self, now: Now | None) -> None:
        if self._is_terminal:
            sys.stdout.write("\n")
        if now is not None:
            text.say(words.ending(now))


def _cut(shown: str, width: int) -> str:
    return shown if len(shown) <= width else shown[: max(0, width - 3)] + "..."


def _seconds(value: str) -> float:
    try:
        return looking.interval(float(value))
    # An ArgumentError is a ValueError.
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a number of seconds above 0, not {value!r}"
        ) from None
