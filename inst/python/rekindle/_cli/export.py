"""``python -m rekindle export``: writes a checkpoint into a file of Keras or of Synalinks."""

from __future__ import annotations

import argparse

from rekindle import inspection
from rekindle._cli import arguments as shared
from rekindle._cli import codes, text
from rekindle.errors import ArgumentError

HELP = "write a checkpoint into a file that load_weights() or load_variables() reads"

DESCRIPTION = """\
The name of the file says for which library it is.

FILE.weights.h5, for model.load_weights() of Keras: Keras names the weights in such a file by the
layers that hold them. A checkpoint does not have these names, so export needs the model: a .keras
file, a .json file of model.to_json(), or a function that makes it, as MODULE:FUNCTION or
FILE.py:FUNCTION. export imports that module or file, which runs its code.

FILE.variables.json, for program.load_variables() of Synalinks: no program is needed.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", help="the file to write: .weights.h5 or .variables.json"
    )
    parser.add_argument(
        "--model", metavar="MODEL", help="for .weights.h5, the model, in one of the forms above"
    )
    shared.add_save(parser)
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")


def run(arguments: argparse.Namespace) -> int:
    of_synalinks = arguments.file.endswith(".variables.json")
    _check_model(arguments.model, of_synalinks)
    # This check needs no model. It comes before the import of Keras, which takes seconds.
    found = inspection.info(arguments.directory)
    if not found.saves:
        text.say(f"There is no checkpoint in {found.directory}. Nothing was written.")
        return codes.NO_SAVE
    (_export_variables if of_synalinks else _export_weights)(arguments)
    return codes.WHOLE


def _check_model(given: str | None, of_synalinks: bool) -> None:
    if of_synalinks and given is not None:
        why = "--model is for a file of Keras. A file of Synalinks needs no model: leave it out."
    elif not of_synalinks and given is None:
        why = (
            "A file of Keras needs the model: give it by --model. A file of Synalinks, whose name"
            " ends in .variables.json, needs none."
        )
    else:
        return
    raise ArgumentError(f"{why} Nothing was written.", argument="model", value=given)


def _export_weights(arguments: argparse.Namespace) -> None:
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


def _export_variables(arguments: argparse.Namespace) -> None:
    name = inspection.export_variables(
        arguments.directory, arguments.file, arguments.save, force=arguments.force
    )
    if arguments.json:
        text.say_json({"save": name, "file": arguments.file})
    else:
        text.say(f"Wrote the variables of {name} to {arguments.file}.")
