"""Restores a checkpoint's weights outside of `fit()`, or exports them to a file for Keras."""

from __future__ import annotations

from typing import Any

import h5py
import keras

from rekindle._base.arrays import AnyArray
from rekindle._format.manifest import Manifest
from rekindle._inspection import lookup, model_weights, new_file
from rekindle._inspection.lookup import Which
from rekindle._inspection.model_weights import OPTIMIZER, Rows
from rekindle._keras import variables
from rekindle._repository import reader
from rekindle._saving import metadata
from rekindle._storage.protocol import Storage
from rekindle.errors import ArgumentError


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
    new_file.check(path, ".weights.h5", "Keras", force=force)
    found = restore(model, storage, which, optimizer=True)

    def write(temporary: str) -> None:
        _write(model, temporary, with_optimizer=found[1])

    new_file.write(path, ".weights.h5", write, force=force)
    return found


def _write(model: Any, temporary: str, *, with_optimizer: bool) -> None:
    model.save_weights(temporary)
    if not with_optimizer:
        # The optimizer in the file is that of the given model, which has learnt nothing.
        with h5py.File(temporary, "a") as file:
            if "optimizer" in file:
                del file["optimizer"]
