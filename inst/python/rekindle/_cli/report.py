"""``python -m rekindle report``: a report of a run, as one HTML file."""

from __future__ import annotations

import argparse

from rekindle import inspection
from rekindle._cli import codes, text

HELP = "write a report of a run: metrics, attempts and settings, as one HTML file"

DESCRIPTION = """\
Writes one HTML file that needs nothing beside it. It shows each metric over the epochs, with the
ends and resumes of attempts marked; a table of the attempts, with the batches that were trained
again and the time that was lost; and the settings. All of it comes from the newest complete
checkpoint and the file ckpt.witness. A run may go on meanwhile.

A training that is complete removes its backup, unless delete_checkpoint is False: then there is
nothing left to report. An earlier report of the same name is replaced; any other file is not.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="OUT.html", help="the file to write")


def run(arguments: argparse.Namespace) -> int:
    path = inspection.report(arguments.directory, arguments.file)
    if arguments.json:
        text.say_json({"file": path})
    else:
        text.say(f"Wrote the report {path}.")
    return codes.WHOLE
