"""``python -m rekindle history``: every epoch of the run."""

from __future__ import annotations

import argparse
from typing import Any

from rekindle import inspection
from rekindle._cli import arguments as shared
from rekindle._cli import codes, text

HELP = "every epoch and metric of the run so far"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.add_save(parser)


def run(arguments: argparse.Namespace) -> int:
    found = inspection.history(arguments.directory, arguments.save)
    if arguments.json:
        text.say_json(found)
    else:
        names = list(found.metrics)
        rows = [
            [str(epoch), *(text.number(_at(found, name, row)) for name in names)]
            for row, epoch in enumerate(found.epoch)
        ]
        text.say(f"{found.save}, epochs counted from 0")
        text.say(*text.table(["epoch", *names], rows))
    return codes.WHOLE


def _at(found: inspection.History, name: str, row: int) -> Any:
    """The value of that epoch; a metric that came later, or is reported rarely, has fewer."""
    column = found.metrics[name]
    return column[row] if len(column) == len(found.epoch) else None
