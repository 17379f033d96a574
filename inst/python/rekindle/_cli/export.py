"""``python -m rekindle export``: writes the weights of a checkpoint into a Keras file."""

from __future__ import annotations

import argparse

from rekindle import inspection
from rekindle._cli import arguments as shared
from rekindle._cli import codes, text

HELP = "write the weights of a checkpoint into a file that model.load_weights() reads"

DESCRIPTION = """\
Keras names the weights in such a file by the layers that hold them. A checkpoint does not have
these names, so export needs the model: a .keras file, a .json file of model.to_json(), or a
function that makes it, as MODULE:FUNCTION or FILE.py:FUNCTION. export imports that module or file,
which runs its code.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE.weights.h5", help="the file to write")
    parser.add_argument(
        "--model", required=True, metavar="MODEL", help="the model, in one of the forms above"
    )
    shared.add_save(parser)
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")


def run(arguments: argparse.Namespace) -> int:
    # This check needs no model. It comes before the import of Keras, which takes seconds.
    found = inspection.info(arguments.directory)
    if not found.saves:
        text.say(f"There is no checkpoint in {found.directory}. Nothing was written.")
        return codes.NO_SAVE
    from rekindle._keras import given_model

    model = given_model.load(arguments.model)
    name, with_optimizer = inspection.export_weights(
        arguments.directory, arguments.file, model, arguments.save, force=arguments.force
    )
    if arguments.json:
        text.say_json({"save": name, "file": arguments.file, "optimizer": with_optimizer})
    else:
        what = "weights and optimizer state" if with_optimizer else "weights"
        text.say(f"Wrote the {what} of {name} to {arguments.file}.")
    return codes.WHOLE
