"""Restores a checkpoint's weights outside of `fit()`, or exports them to a file for Keras."""

from __future__ import annotations

import os
import uuid
from typing import Any

import h5py
import keras

from rekindle._base.arrays import AnyArray
from rekindle._format.manifest import Manifest
from rekindle._inspection import lookup, model_weights
from rekindle._inspection.lookup import Which
from rekindle._inspection.model_weights import OPTIMIZER, Rows
from rekindle._keras import variables
from rekindle._repository import reader
from rekindle._saving import metadata
from rekindle._storage.local import fs
from rekindle._storage.protocol import Storage
from rekindle.errors import ArgumentError, ForeignFileError, SaveError


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


def _rows_of(model: Any, directory: str, name: str, manifest: Manifest) -> Rows:
    model_weights.refuse_unbuilt(model)
    targets = {key: one for key, one in variables.named(model).items() if key.startswith("model/")}
    return model_weights.find(targets, directory, name, manifest, variables.differences)


def _slots_of(model: Any, manifest: Manifest, rows: Rows) -> Rows:
    """The arrays for the variables of the model's optimizer; none unless all of them fit."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or not rows:
        return {}
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    targets = {key: one for key, one in variables.named(model).items() if key.startswith(OPTIMIZER)}
    key, (name, _) = next(iter(rows.items()))
    starts = (name.removesuffix(key.removeprefix("model/")) + OPTIMIZER, OPTIMIZER)
    for start in starts:
        found = {
            OPTIMIZER + name.removeprefix(start): (name, row)
            for name, row in manifest.arrays.items()
            if name.startswith(start)
        }
        if found and not variables.differences(targets, model_weights.only(manifest, found)):
            return found
    return {}


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
