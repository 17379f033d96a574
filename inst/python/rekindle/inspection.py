"""Looking into a backup folder: what is there, whether it is whole, and what it holds.

Nothing here but :func:`delete` takes the folder's lock or changes anything in it, so that a run may
go on there meanwhile; what it replaces in the middle of a look is looked at again. Keras is
imported by :func:`restore_weights` and :func:`export_weights` alone.

A folder is given by its path, or by a ``file://`` URL; another URL is an ``ArgumentError``.

Counts are of things done: ``epoch`` 3 and ``batch`` 0 is a save at the end of the third epoch.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from rekindle._base import checks
from rekindle._base.arrays import AnyArray
from rekindle._format import epochs as _epochs
from rekindle._format.manifest import Damage, Manifest
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
    """What the folder holds, and who holds the folder.

    Raises:
        RestoreError: The system refused to list or to read.
    """
    path = lookup.folder(directory)
    for _ in range(reader.ATTEMPTS):
        if not os.path.isdir(path):
            return FolderInfo(path, "missing")
        catalogs = reader.catalogs(path)
        found = describe.describe(path, catalogs)
        # What a run took away in the middle of the look is no picture of any moment.
        saves = lookup.oldest_first(catalogs)
        if all(reader.still_there(path, prefix, manifest) for prefix, manifest in saves):
            break
    return found


def verify(directory: str | os.PathLike[str]) -> list[Check]:
    """Reads every byte of every save: what that showed, oldest first; empty without a save.

    A save that its run takes away meanwhile is not in the list. Bytes that several saves share are
    read once.

    Raises:
        RestoreError: The system refused to list or to read.
    """
    path = lookup.folder(directory)
    catalogs = reader.catalogs(path)
    checks: list[Check] = []
    damaged = [
        Check(f"{prefix}-{number}", number, 0, damage)
        for prefix, catalog in catalogs.items()
        for number, damage in sorted(catalog.damaged.items())
    ]
    seen: set[Any] = set()
    packs: set[Any] = set()
    for prefix, manifest in lookup.oldest_first(catalogs):
        damage = lookup.verified(path, manifest, seen, packs)
        if damage is None or reader.still_there(path, prefix, manifest):
            size = sum(row.stop - row.start for row in manifest.arrays.values())
            checks.append(Check(f"{prefix}-{manifest.number}", manifest.number, size, damage))
    return describe.placed(checks, damaged)


def history(directory: str | os.PathLike[str], which: Which = "latest") -> History:
    """Every epoch and metric of the run, up to the save; which epochs each metric was reported in.

    Args:
        directory: The folder.
        which: ``"latest"``, a number, or a name such as ``"ckpt-12"``.

    Raises:
        RestoreError: There is no such save, or the system refused to read.
        DamageError: It is damaged.
        MismatchError: It is not of a ``fit()``, and has no history.
    """
    path = lookup.folder(directory)

    def read(prefix: str, manifest: Manifest) -> History:
        name = f"{prefix}-{manifest.number}"
        if not manifest.state.get("history"):
            raise MismatchError(
                f"Save {name} in {path!r} is not of a fit(), and has no history.",
                differences=["history: expected one, found none"],
            )
        return _history(name, lookup.tree(path, manifest, "history"))

    return lookup.with_save(path, which, read)


def _history(name: str, tree: Any) -> History:
    try:
        epochs = [int(epoch) for epoch in tree["epoch"]]
        table = {str(metric): list(column) for metric, column in tree["metrics"].items()}
        reported = _epochs.saved(epochs, tree)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise Damage(f"its history cannot be read: {error!r:.200}") from None
    return History(name, epochs, table, reported)


def arrays(directory: str | os.PathLike[str], which: Which = "latest") -> list[ArrayInfo]:
    """The arrays of a save; arguments and errors are those of :func:`history`."""

    def read(_: str, manifest: Manifest) -> list[ArrayInfo]:
        return [
            ArrayInfo(name, row.dtype, row.shape, row.stop - row.start)
            for name, row in manifest.arrays.items()
        ]

    return lookup.with_save(lookup.folder(directory), which, read)


def values(
    directory: str | os.PathLike[str],
    names: Collection[str] | None = None,
    which: Which = "latest",
) -> dict[str, AnyArray]:
    """The values of arrays of a save, each verified.

    Args:
        directory: The folder.
        names: Names of arrays, as :func:`arrays` gives them; by default all.
        which: As in :func:`history`.

    Raises:
        ArgumentError: The save has no array of such a name.
        RestoreError, DamageError: As :func:`history`.
    """
    path = lookup.folder(directory)

    def read(prefix: str, manifest: Manifest) -> dict[str, AnyArray]:
        missing = [name for name in names or () if name not in manifest.arrays]
        if missing:
            raise ArgumentError(
                f"Save {prefix}-{manifest.number} in {path!r} has no array"
                f" {', '.join(map(repr, missing))}.",
                argument="names",
                value=missing,
            )
        found = reader.read(path, manifest, names).arrays
        return {name: found[name] for name in (manifest.arrays if names is None else names)}

    return lookup.with_save(path, which, read)


def restore_weights(model: Any, directory: str | os.PathLike[str], which: Which = "latest") -> str:
    """Puts the weights of a save into a Keras model, outside of ``fit()``: the save's name.

    All variables of the model are put back, those that are not trained included; its optimizer, its
    metrics and random states stay as they are. By default the newest save that is whole is taken;
    of one that is asked for, only the weights need be whole.

    Args:
        model: A built Keras model, made as the one that was saved.
        directory: The folder.
        which: As in :func:`history`.

    Raises:
        MismatchError: The save is of another model; nothing was changed.
        ArgumentError: It is no model of Keras 3.
        RestoreError, DamageError: As :func:`history`.
    """
    arguments.refuse_keras_2(model)
    from rekindle._keras import weights

    return weights.restore(model, lookup.folder(directory), which)[0]


def export_weights(
    directory: str | os.PathLike[str],
    path: str | os.PathLike[str],
    model: Any,
    which: Which = "latest",
    *,
    force: bool = False,
) -> tuple[str, bool]:
    """Writes the weights of a save into a file that ``model.load_weights()`` takes.

    Keras names the weights in such a file by the layers that hold them, so that a model is needed;
    it holds the save's weights afterwards. The file appears under its name once it is whole.

    Args:
        directory: The folder.
        path: The file. Its name ends in ``.weights.h5``.
        model: As in :func:`restore_weights`. When it is compiled with an optimizer that fits the
            save, the file has the optimizer's state, too.
        which: As in :func:`history`.
        force: bool. Whether a file that is there is replaced.

    Returns:
        The save's name, and whether the optimizer's state was written.

    Raises:
        ForeignFileError: The file is there, and `force` is False.
        SaveError: The system refused to write.
        MismatchError, RestoreError, DamageError, ArgumentError: As :func:`restore_weights`.
    """
    arguments.refuse_keras_2(model)
    from rekindle._keras import weights

    file = os.path.abspath(checks.path("path", path, checks.A_FILE))
    return weights.export(lookup.folder(directory), file, model, which, force=force)


def delete(directory: str | os.PathLike[str]) -> Deletion:
    """Removes every save, and what else is rekindle's; nothing else.

    Files that were set aside as damaged stay. The folder goes when it is then empty and rekindle
    made it.

    Raises:
        LockError: A run holds the folder; nothing was removed.
        FormatError: A newer rekindle has written there; nothing was removed.
        ForeignFileError: A file of the name of a save is somebody else's; nothing was removed.
        RestoreError: The system refused.
    """
    return _deletion.delete(lookup.folder(directory))
