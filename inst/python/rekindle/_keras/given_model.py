"""A model that a shell command names: a file of Keras, or a function that makes it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import Any

import keras

from rekindle.errors import ArgumentError


def load(given: str) -> Any:
    """Makes the model from a ``.keras`` or ``.json`` file, MODULE:FUNCTION or FILE.py:FUNCTION.

    Raises:
        ArgumentError: No model can be made from it.
    """
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
    """The object that MODULE:FUNCTION or FILE.py:FUNCTION names."""
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
        f"No model can be made from --model {given!r}: {why}. Give a .keras file, a .json file,"
        " MODULE:FUNCTION or FILE.py:FUNCTION.",
        argument="model",
        value=given,
    )
