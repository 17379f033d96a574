"""Restores a checkpoint's weights outside of `fit()`, or exports them to a file for Keras."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
import uuid
from typing import Any

import h5py
import keras

from rekindle._base.arrays import AnyArray
from rekindle._format.manifest import Array, Manifest
from rekindle._inspection import lookup
from rekindle._inspection.lookup import Which
from rekindle._keras import variables
from rekindle._repository import reader
from rekindle._saving import metadata
from rekindle._storage.local import fs
from rekindle._storage.protocol import Storage
from rekindle.errors import ArgumentError, ForeignFileError, MismatchError, SaveError, bulleted

# Follows the name of a model whose optimizer is saved as a part of it.
_OPTIMIZER = "optimizer/"

# No part of a `Checkpoint` is nested more deeply.
_MOST_LEVELS = 101


def restore(
    model: Any, storage: Storage, which: Which, *, optimizer: bool = False
) -> tuple[str, bool]:
    """Restores a checkpoint's weights into the model.

    With `optimizer`, this also restores the optimizer's variables, if all of them fit.

    Returns:
        The checkpoint's name, and whether the optimizer was restored, too.

    Raises:
        ArgumentError: `model` is not a Keras model.
        MismatchError: The weights do not fit; nothing was changed.
        DamageError, RestoreError: As :func:`rekindle._inspection.lookup.with_save`.
    """
    if not isinstance(model, keras.Model):
        raise ArgumentError(
            f"Invalid value for argument `model`. Received: a {type(model).__name__!r}. Expected a"
            " Keras model.",
            argument="model",
            value=model,
        )

    def read(prefix: str, manifest: Manifest) -> tuple[str, dict[str, AnyArray], bool]:
        metadata.refuse_newer(storage.url, manifest)
        name = f"{prefix}-{manifest.number}"
        rows = _rows_of(model, storage.url, name, manifest)
        extra = _slots_of(model, manifest, rows) if optimizer else {}
        # Under the names of the model's own variables.
        wanted = {key: saved for key, (saved, _) in (rows | extra).items()}
        arrays = reader.read(storage, manifest, set(wanted.values())).arrays
        return name, {key: arrays[saved] for key, saved in wanted.items()}, bool(extra)

    name, arrays, with_slots = lookup.with_save(storage, which, read, whole=which == "latest")
    targets = variables.named(model)
    variables.assign({key: targets[key] for key in arrays}, arrays)
    return name, with_slots


_Rows = dict[str, tuple[str, Array]]


def _rows_of(model: Any, directory: str, name: str, manifest: Manifest) -> _Rows:
    """For each variable of the model, its array in the checkpoint: the array's name and row."""
    if not model.built:
        raise MismatchError(
            "The model has no variables yet to restore weights into. Build it first, by calling it"
            " on a batch of data or with an Input layer.",
            differences=["model: expected a built model, found one without variables"],
        )
    targets = {key: one for key, one in variables.named(model).items() if key.startswith("model/")}
    nearest: list[str] | None = None
    fitting: dict[str, _Rows] = {}
    for part, rows in _parts(manifest, targets).items():
        lines = variables.differences(targets, _only(manifest, rows))
        if lines and (rows := _alike(targets, rows)):
            lines = variables.differences(targets, _only(manifest, rows))
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


def _parts(manifest: Manifest, targets: dict[str, Any]) -> dict[str, _Rows]:
    """The arrays of each part of the checkpoint that may be the model.

    In a checkpoint of a fit(), this part is "model". In a checkpoint of a `Checkpoint`, it is the
    name that the user gave the model, or its place in a list.
    """
    first = next(iter(targets), "model/").removeprefix("model")
    found = {name.removesuffix(first) for name in manifest.arrays if name.endswith(first)}
    found |= {name.partition("/")[0] for name in manifest.arrays}
    parts: dict[str, _Rows] = {"model": {}}
    parts |= {part: {} for part in sorted(found - {"model", "optimizer", "metrics"})}
    for name, row in manifest.arrays.items():
        for match in itertools.islice(re.finditer("/", name), _MOST_LEVELS):
            end = match.start()
            rows, rest = parts.get(name[:end]), name[end + 1 :]
            if rows is not None and not rest.startswith(_OPTIMIZER):
                rows[f"model/{rest}"] = (name, row)
    return parts


def _alike(targets: dict[str, Any], rows: _Rows) -> _Rows:
    """The arrays under the model's names, if the names differ only by numbers; else none.

    In a `Checkpoint` of several models, Keras counts its numbers from the first model on.
    """
    pairs = list(zip(targets, rows, strict=False))
    if len(rows) != len(targets) or any(_plain(one) != _plain(other) for one, other in pairs):
        return {}
    return {one: rows[other] for one, other in pairs}


def _plain(name: str) -> str:
    return re.sub(r"_\d+(?=/|$)", "", name)


def _only(manifest: Manifest, rows: _Rows) -> Manifest:
    return dataclasses.replace(manifest, arrays={key: row for key, (_, row) in rows.items()})


def _slots_of(model: Any, manifest: Manifest, rows: _Rows) -> _Rows:
    """The arrays for the variables of the model's optimizer; none unless all of them fit."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or not rows:
        return {}
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    targets = {
        key: one for key, one in variables.named(model).items() if key.startswith(_OPTIMIZER)
    }
    key, (name, _) = next(iter(rows.items()))
    starts = (name.removesuffix(key.removeprefix("model/")) + _OPTIMIZER, _OPTIMIZER)
    for start in starts:
        found = {
            _OPTIMIZER + name.removeprefix(start): (name, row)
            for name, row in manifest.arrays.items()
            if name.startswith(start)
        }
        if found and not variables.differences(targets, _only(manifest, found)):
            return found
    return {}


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


def export(
    storage: Storage, path: str, model: Any, which: Which, *, force: bool = False
) -> tuple[str, bool]:
    """Writes a checkpoint's weights into a new file for `load_weights()`, completely or not at all.

    Returns:
        The same as :func:`restore`.

    Raises:
        ForeignFileError: A file of that name exists, and `force` is False.
        SaveError: The system refused to write.
        ArgumentError, MismatchError, DamageError, RestoreError: As :func:`restore`.
    """
    if not path.endswith(".weights.h5"):
        raise ArgumentError(
            f"Invalid value for argument `path`. Received: path={path!r}. Expected a name that"
            " ends in '.weights.h5', as Keras requires.",
            argument="path",
            value=path,
        )
    if not force and fs.exists(path):
        raise _in_the_way(path)
    found = restore(model, storage, which, optimizer=True)
    temporary = os.path.join(os.path.dirname(path), f".rekindle-{uuid.uuid4().hex}.weights.h5")
    try:
        try:
            _write(model, temporary, with_optimizer=found[1])
            _publish(temporary, path, force=force)
        finally:
            fs.discard(temporary)
    except OSError as error:
        if isinstance(error, SaveError):
            raise
        raise SaveError(
            f"{path!r} could not be written: {error.strerror or error}. If there was a file of"
            " that name, it is unchanged.",
            directory=os.path.dirname(path),
            errno=error.errno,
            needed=0,
            free=fs.free_bytes(os.path.dirname(path)),
        ) from error
    return found


def _write(model: Any, temporary: str, *, with_optimizer: bool) -> None:
    model.save_weights(temporary)
    if not with_optimizer:
        # The optimizer in the file is that of the given model, which has learnt nothing.
        with h5py.File(temporary, "a") as file:
            if "optimizer" in file:
                del file["optimizer"]
    fd, _ = fs.open_regular(temporary, os.O_RDWR)
    with fs.closing(fd):
        fs.sync(fd)


def _publish(temporary: str, path: str, *, force: bool) -> None:
    if force:
        fs.rename(temporary, path)
    else:
        try:
            # Unlike a rename, a link does not replace a file that was created meanwhile.
            os.link(temporary, path)
        except FileExistsError:
            raise _in_the_way(path) from None
        except OSError:
            if fs.exists(path):
                raise _in_the_way(path) from None
            fs.rename(temporary, path)
    fs.sync_folder(os.path.dirname(path))


def _in_the_way(path: str) -> ForeignFileError:
    return ForeignFileError(
        f"{path!r} exists already. Nothing was written. Choose another name, or allow its"
        " replacement.",
        path=path,
    )
