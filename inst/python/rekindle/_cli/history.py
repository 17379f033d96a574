"""``python -m rekindle history``: every epoch of the run."""

from __future__ import annotations

import argparse
from typing import Any

from rekindle import inspection
from rekindle._cli import arguments as shared
from rekindle._cli import codes, text

HELP = "print every epoch and metric of the run so far"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.add_save(parser)


def run(arguments: argparse.Namespace) -> int:
    found = inspection.history(arguments.directory, arguments.save)
    if arguments.json:
        text.say_json(found)
    else:
        text.say(*lines(found))
    return codes.WHOLE


def lines(found: inspection.History) -> list[str]:
    """The epochs and metrics in words."""
    values = sum(map(len, found.metrics.values()))
    cells = len(found.epoch) * len(found.metrics)
    if cells > _MOST_CELLS and cells > 10 * values:
        return [
            f"{found.save} has {values} values of {len(found.metrics)} metrics for"
            f" {len(found.epoch)} epochs. A table of them would be almost empty. --json writes"
            " all values."
        ]
    columns = {name: _by_epoch(found, name) for name in found.metrics}
    rows = [
        [str(epoch), *(text.number(column.get(epoch)) for column in columns.values())]
        for epoch in found.epoch
    ]
    told = [f"{found.save}, epochs counted from 0", *text.table(["epoch", *columns], rows)]
    unknown = [name for name, epochs in found.epochs.items() if None in epochs]
    if unknown:
        told.append(
            "An earlier version of rekindle wrote this checkpoint and did not record which"
            f" epochs reported {', '.join(unknown)}. --json writes the values."
        )
    return told


# If a folder is forged, the table of its history may be far larger than the folder.
_MOST_CELLS = 1_000_000


def _by_epoch(found: inspection.History, name: str) -> dict[int | None, Any]:
    """The values of a metric by the epoch that reported them, as far as this epoch is known."""
    known = zip(found.epochs[name], found.metrics[name], strict=True)
    return {epoch: value for epoch, value in known if epoch is not None}
