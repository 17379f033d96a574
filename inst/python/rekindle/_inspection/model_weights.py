"""Finds the arrays of a checkpoint that are the weights of a model, of either version of Keras."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

from rekindle._format.manifest import Array, Manifest
from rekindle.errors import MismatchError, bulleted

# Follows the name of a model whose optimizer is saved as a part of it.
OPTIMIZER = "optimizer/"

# No part of a `Checkpoint` is nested more deeply.
_MOST_LEVELS = 101

# For each variable of the model, by name, its array in the checkpoint: the array's name and row.
Rows = dict[str, tuple[str, Array]]

Differences = Callable[[Mapping[str, Any], Manifest], list[str]]


def find(
    targets: Mapping[str, Any],
    directory: str,
    name: str,
    manifest: Manifest,
    differences: Differences,
    passing: tuple[str, ...] = (),
) -> Rows:
    """For each variable, its array in the checkpoint.

    Args:
        targets: The model's variables, by names that begin with "model/".
        directory: The folder, and
        name: the checkpoint's name, for the error.
        manifest: The checkpoint.
        differences: A line for each difference between variables and a manifest.
        passing: What the names of arrays begin with that no variable needs.

    Raises:
        MismatchError: The weights do not fit, or those of several models do.
    """
    nearest: list[str] | None = None
    fitting: dict[str, Rows] = {}
    for part, found in _parts(manifest, targets).items():
        rows = {key: row for key, row in found.items() if not key.startswith(passing)}
        lines = differences(targets, only(manifest, rows))
        if lines and (rows := _alike(targets, rows)):
            lines = differences(targets, only(manifest, rows))
        if not lines:
            fitting[part] = rows
        elif nearest is None or len(lines) < len(nearest):
            nearest = lines
    if not fitting:
        nothing = ["model: expected weights, found none in the checkpoint"]
        raise _mismatch(directory, name, nearest or nothing)
    if len(fitting) > 1 and "model" not in fitting:
        raise _ambiguous(directory, name, list(fitting))
    return fitting.get("model") or next(iter(fitting.values()))


def refuse_unbuilt(model: Any) -> None:
    if not model.built:
        raise MismatchError(
            "The model has no variables yet to restore weights into. Build it first, by calling it"
            " on a batch of data or with an Input layer.",
            differences=["model: expected a built model, found one without variables"],
        )


def _parts(manifest: Manifest, targets: Mapping[str, Any]) -> dict[str, Rows]:
    """The arrays of each part of the checkpoint that may be the model.

    In a checkpoint of a fit(), this part is "model". In a checkpoint of a `Checkpoint`, it is the
    name that the user gave the model, or its place in a list.
    """
    first = next(iter(targets), "model/").removeprefix("model")
    found = {name.removesuffix(first) for name in manifest.arrays if name.endswith(first)}
    found |= {name.partition("/")[0] for name in manifest.arrays}
    parts: dict[str, Rows] = {"model": {}}
    parts |= {part: {} for part in sorted(found - {"model", "optimizer", "metrics"})}
    for name, row in manifest.arrays.items():
        for match in itertools.islice(re.finditer("/", name), _MOST_LEVELS):
            end = match.start()
            rows, rest = parts.get(name[:end]), name[end + 1 :]
            if rows is not None and not rest.startswith(OPTIMIZER):
                rows[f"model/{rest}"] = (name, row)
    return parts


def _alike(targets: Mapping[str, Any], rows: Rows) -> Rows:
    """The arrays under the model's names, if the names differ only by numbers; else none.

    In a `Checkpoint` of several models, Keras counts its numbers from the first model on.
    """
    pairs = list(zip(targets, rows, strict=False))
    if len(rows) != len(targets) or any(_plain(one) != _plain(other) for one, other in pairs):
        return {}
    return {one: rows[other] for one, other in pairs}


def _plain(name: str) -> str:
    return re.sub(r"_\d+(?=/|$)", "", name)


def only(manifest: Manifest, rows: Rows) -> Manifest:
    return dataclasses.replace(manifest, arrays={key: row for key, (_, row) in rows.items()})


def _ambiguous(directory: str, name: str, parts: list[str]) -> MismatchError:
    shown = ", ".join(map(repr, parts))
    return MismatchError(
        f"Several objects in checkpoint {name} in {directory!r} fit the model: {shown}. Nothing"
        " was changed. Restore one of them by its name, as in"
        f" rekindle.Checkpoint({parts[0]}=model).restore(path).expect_partial().",
        differences=[f"model: expected one object that fits, found {shown}"],
    )


def _mismatch(directory: str, name: str, differences: list[str]) -> MismatchError:
    return MismatchError(
        f"The weights in checkpoint {name} in {directory!r} are of another model. Nothing was"
        " changed.\n" + bulleted(differences),
        differences=differences,
    )
