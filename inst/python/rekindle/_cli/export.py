"""``python -m rekindle export``: the weights of a save as a file of Keras'."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
from typing import Any

from rekindle import inspection
from rekindle._cli import arguments as shared
from rekindle._cli import codes, text
from rekindle.errors import ArgumentError

HELP = "write the weights of a save into a file that model.load_weights() takes"

DESCRIPTION = """\
Keras names the weights in such a file by the layers that hold them, which a save does not know.
So it needs the model: a .keras file, a .json file of model.to_json(), or a function that makes it,
as MODULE:FUNCTION or FILE.py:FUNCTION. What that imports is run, as by any import.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE.weights.h5", help="the file to write")
    parser.add_argument(
        "--model", required=True, metavar="MODEL", help="the model, in one of the forms above"
    )
    shared.add_save(parser)
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")


def run(arguments: argparse.Namespace) -> int:
    # What needs no model is refused before Keras is imported, which takes seconds.
    found = inspection.info(arguments.directory)
    if not found.saves:
        text.say(f"There is no save in {found.directory}. Nothing was written.")
        return codes.NO_SAVE
    model = _model(arguments.model)
    name, with_optimizer = inspection.export_weights(
        arguments.directory, arguments.file, model, arguments.save, force=arguments.force
    )
    if arguments.json:
        text.say_json({"save": name, "file": arguments.file, "optimizer": with_optimizer})
    else:
        what = "weights and optimizer state" if with_optimizer else "weights"
        text.say(f"Wrote the {what} of {name} to {arguments.file}.")
    return codes.WHOLE


def _model(given: str) -> Any:
    import keras

    if given.endswith((".keras", ".json")):
        try:
            if given.endswith(".keras"):
                return keras.saving.load_model(given, compile=False)
            with open(given, encoding="utf-8") as file:
                return keras.models.model_from_json(file.read())
        except (OSError, ValueError, TypeError) as error:
            raise _refused(given, f"it cannot be read: {error}") from error
    made = _named(given)
    return made() if callable(made) and not isinstance(made, keras.Model) else made


def _named(given: str) -> Any:
    """What MODULE:FUNCTION or FILE.py:FUNCTION names."""
    source, _, name = given.rpartition(":")
    if not source or not name:
        raise _refused(given, "it has none of these forms")
    if source.endswith(".py"):
        spec = importlib.util.spec_from_file_location("rekindle_model", source)
        if spec is None or spec.loader is None or not os.path.isfile(source):
            raise _refused(given, f"there is no file {source!r}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    else:
        try:
            module = importlib.import_module(source)
        except ModuleNotFoundError as error:
            raise _refused(given, str(error)) from error
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
        if found is None:
            raise _refused(given, f"{source!r} has no {name!r}")
    return found


def _refused(given: str, why: str) -> ArgumentError:
    return ArgumentError(
        f"No model could be made of --model {given!r}: {why}. Give a .keras file, a .json file,"
        " MODULE:FUNCTION or FILE.py:FUNCTION.",
        argument="model",
        value=given,
    )
