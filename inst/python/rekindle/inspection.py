"""Inspects a backup folder: its checkpoints, whether they are complete, and what they hold.

Only :func:`delete` locks the folder or changes anything in it. A run may therefore continue in the
folder meanwhile. If the run replaces a checkpoint that a function is reading, the function reads
again. Only :func:`restore_weights` and :func:`export_weights` import Keras, or tf_keras for a
model of Keras 2.

Give a folder by its path, or by a ``file://`` URL. Another URL is an ``ArgumentError``.

Counts say how much is done: ``epoch`` 3 and ``batch`` 0 is a checkpoint at the end of the third
epoch.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from rekindle._base import checks
from rekindle._base.arrays import AnyArray
from rekindle._format import epochs as _epochs
from rekindle._format.manifest import Damage, Manifest
from rekindle._frameworks.loaded import loaded
from rekindle._inspection import delete as _deletion
from rekindle._inspection import describe, lookup
from rekindle._inspection.lookup import Which
from rekindle._inspection.results import ArrayInfo, Check, Deletion, FolderInfo, History, SaveInfo
from rekindle._repository import reader
from rekindle._saving import arguments
from rekindle.errors import ArgumentError, MismatchError

__all__ = [
    "ArrayInfo",
    "Check",
    "Deletion",
    "FolderInfo",
    "History",
    "SaveInfo",
    "arrays",
    "delete",
    "export_weights",
    "history",
    "info",
    "restore_weights",
    "values",
    "verify",
]


def info(directory: str | os.PathLike[str]) -> FolderInfo:
    """Describes the content of the folder, and the process that has locked it.

    Raises:
        RestoreError: The system refused to list or to read.
    """
    storage = lookup.storage_at(directory)
    for _ in range(reader.ATTEMPTS):
        if not storage.exists:
            return FolderInfo(storage.url, "missing")
        catalogs = reader.catalogs(storage)
        found = describe.describe(storage, catalogs)
        # If a run has removed a checkpoint meanwhile, the result shows no real moment: look again.
        saves = lookup.oldest_first(catalogs)
        if all(reader.still_there(storage, prefix, manifest) for prefix, manifest in saves):
            break
    return found


def verify(directory: str | os.PathLike[str]) -> list[Check]:
    """Reads every byte of every checkpoint. Returns a result for each, oldest first.

    Without checkpoints, the list is empty. A checkpoint that its run removes meanwhile is not in
    the list. rekindle reads bytes that several checkpoints share only once.

    Raises:
        RestoreError: The system refused to list or to read.
    """
    storage = lookup.storage_at(directory)
    catalogs = reader.catalogs(storage)
    checks: list[Check] = []
    damaged = [
        Check(f"{prefix}-{number}", number, 0, damage)
        for prefix, catalog in catalogs.items()
        for number, damage in sorted(catalog.damaged.items())
    ]
    seen: set[Any] = set()
    packs: set[Any] = set()
    for prefix, manifest in lookup.oldest_first(catalogs):
        damage = lookup.verified(storage, manifest, seen, packs)
        if damage is None or reader.still_there(storage, prefix, manifest):
            size = sum(row.stop - row.start for row in manifest.arrays.values())
            checks.append(Check(f"{prefix}-{manifest.number}", manifest.number, size, damage))
    return describe.placed(checks, damaged)


def history(directory: str | os.PathLike[str], which: Which = "latest") -> History:
    """Returns every epoch and metric of the run, up to the checkpoint.

    For each metric, this includes the epochs in which it was reported.

    Args:
        directory: The folder.
        which: The checkpoint: ``"latest"``, a number, or a name such as ``"ckpt-12"``.

    Raises:
        RestoreError: There is no such checkpoint, or the system refused to read.
        DamageError: The checkpoint is damaged.
        MismatchError: The checkpoint is not of a ``fit()``, and has no history.
    """
    storage = lookup.storage_at(directory)

    def read(prefix: str, manifest: Manifest) -> History:
        name = f"{prefix}-{manifest.number}"
        if not manifest.state.get("history"):
            raise MismatchError(
                f"Checkpoint {name} in {storage.url!r} is not of a fit(), and has no history.",
                differences=["history: expected one, found none"],
            )
        return _history(name, lookup.tree(storage, manifest, "history"))

    return lookup.with_save(storage, which, read)


def _history(name: str, tree: Any) -> History:
    try:
        epochs = [int(epoch) for epoch in tree["epoch"]]
        table = {str(metric): list(column) for metric, column in tree["metrics"].items()}
        reported = _epochs.saved(epochs, tree)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise Damage(f"its history cannot be read: {error!r:.200}") from None
    return History(name, epochs, table, reported)


def arrays(directory: str | os.PathLike[str], which: Which = "latest") -> list[ArrayInfo]:
    """Describes the arrays of a checkpoint. Arguments and errors are those of :func:`history`."""

    def read(_: str, manifest: Manifest) -> list[ArrayInfo]:
        return [
            ArrayInfo(name, row.dtype, row.shape, row.stop - row.start)
            for name, row in manifest.arrays.items()
        ]

    return lookup.with_save(lookup.storage_at(directory), which, read)


def values(
    directory: str | os.PathLike[str],
    names: Collection[str] | None = None,
    which: Which = "latest",
) -> dict[str, AnyArray]:
    """Returns the values of arrays of a checkpoint. rekindle verifies each of them.

    Args:
        directory: The folder.
        names: Names of arrays, as :func:`arrays` gives them; by default all.
        which: As in :func:`history`.

    Raises:
        ArgumentError: The checkpoint has no array of such a name.
        RestoreError, DamageError: As :func:`history`.
    """
    storage = lookup.storage_at(directory)

    def read(prefix: str, manifest: Manifest) -> dict[str, AnyArray]:
        missing = [name for name in names or () if name not in manifest.arrays]
        if missing:
            raise ArgumentError(
                f"Checkpoint {prefix}-{manifest.number} in {storage.url!r} has no array"
                f" {', '.join(map(repr, missing))}.",
                argument="names",
                value=missing,
            )
        found = reader.read(storage, manifest, names).arrays
        return {name: found[name] for name in (manifest.arrays if names is None else names)}

    return lookup.with_save(storage, which, read)


def restore_weights(model: Any, directory: str | os.PathLike[str], which: Which = "latest") -> str:
    """Restores the weights of a checkpoint into a model, outside of ``fit()``.

    rekindle restores all variables of the model, variables that are not trained included. It does
    not change the optimizer, the metrics and the random states. By default rekindle takes the
    newest complete checkpoint. If you ask for another one, only its weights need to be complete.

    Args:
        model: A built model of Keras 3, or of Keras 2 (tf_keras), made like the saved model.
        directory: The folder.
        which: As in :func:`history`.

    Returns:
        The checkpoint's name.

    Raises:
        MismatchError: The checkpoint is of another model; nothing was changed.
        ArgumentError: `model` is not a model of Keras 3 or of tf_keras.
        RestoreError, DamageError: As :func:`history`.
    """
    library = loaded("tf_keras")
    if library is not None and isinstance(model, library.Model):
        from rekindle._tf_keras import weights as weights_of_keras_2

        return weights_of_keras_2.restore(model, lookup.storage_at(directory), which)
    arguments.refuse_keras_2(model)
    from rekindle._keras import weights

    return weights.restore(model, lookup.storage_at(directory), which)[0]


def export_weights(
    directory: str | os.PathLike[str],
    path: str | os.PathLike[str],
    model: Any,
    which: Which = "latest",
    *,
    force: bool = False,
) -> tuple[str, bool]:
    """Writes the weights of a checkpoint into a file for ``model.load_weights()``.

    Keras names the weights in such a file by the layers that hold them. So this function needs a
    model. The model holds the checkpoint's weights afterwards. The file appears under its name once
    it is complete.

    Args:
        directory: The folder.
        path: The file. Its name ends in ``.weights.h5``.
        model: As in :func:`restore_weights`, but of Keras 3. If the model is compiled with an
            optimizer that fits the checkpoint, the file holds the optimizer's state, too.
        which: As in :func:`history`.
        force: bool. Whether to replace an existing file.

    Returns:
        The checkpoint's name, and whether the file holds the optimizer's state.

    Raises:
        ForeignFileError: The file exists, and `force` is False.
        SaveError: The system refused to write.
        MismatchError, RestoreError, DamageError, ArgumentError: As :func:`restore_weights`.
    """
    arguments.refuse_keras_2(model)
    from rekindle._keras import weights

    file = os.path.abspath(checks.path("path", path, checks.A_FILE))
    return weights.export(lookup.storage_at(directory), file, model, which, force=force)


def delete(directory: str | os.PathLike[str]) -> Deletion:
    """Removes every checkpoint and the other files that rekindle wrote, and nothing else.

    Quarantined files stay. rekindle removes the folder, too, if it is then empty and rekindle
    created it.

    Raises:
        LockError: A run has locked the folder; nothing was removed.
        FormatError: A newer rekindle has written there; nothing was removed.
        ForeignFileError: A file that rekindle did not write has the name of a checkpoint; nothing
            was removed.
        RestoreError: The system refused.
    """
    return _deletion.delete(lookup.storage_at(directory))
