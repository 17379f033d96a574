"""``python -m rekindle verify``: reads every byte of every checkpoint."""

from __future__ import annotations

import argparse

from rekindle import inspection
from rekindle._cli import codes, text

HELP = "read every byte of every checkpoint"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """This command has no arguments of its own."""


def run(arguments: argparse.Namespace) -> int:
    checks = inspection.verify(arguments.directory)
    if arguments.json:
        text.say_json(checks)
    else:
        text.say(*(_line(check) for check in checks))
        if not checks:
            text.say(f"There is no checkpoint in {arguments.directory}.")
    return codes.of_damages(check.damage for check in checks)


def _line(check: inspection.Check) -> str:
    if check.damage is not None:
        return f"{check.name}  damaged: {check.damage}"
    return f"{check.name}  whole, {text.size(check.bytes)} of arrays"
