"""Inspects a backup folder: its checkpoints, whether they are complete, and what they hold.

Only :func:`delete` locks the folder or changes anything in it. A run may therefore continue in the
folder meanwhile. If the run replaces a checkpoint that a function is reading, the function reads
again. Only :func:`restore_weights` and :func:`export_weights` import Keras, or tf_keras for a
model of Keras 2. No function imports Synalinks.

Give a folder by its path or by a ``file://`` URL, or give a place in an object store by its URL,
such as ``"s3://bucket/run7"``. `storage_options` are settings of the store, as for
:class:`rekindle.keras.BackupAndRestore`; what they do not say comes from the environment.

Counts say how much is done: ``epoch`` 3 and ``batch`` 0 is a checkpoint at the end of the third
epoch.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import Any

from rekindle._base import checks
from rekindle._base.arrays import AnyArray
from rekindle._format.manifest import Manifest
from rekindle._frameworks.loaded import loaded
from rekindle._inspection import delete as _deletion
from rekindle._inspection import describe, lookup, recorded
from rekindle._inspection import now as _now
from rekindle._inspection.lookup import Options, Which
from rekindle._inspection.moment import Now
from rekindle._inspection.pages import files
from rekindle._inspection.pages import report as _report
from rekindle._inspection.results import ArrayInfo, Check, Deletion, FolderInfo, History, SaveInfo
from rekindle._repository import reader
from rekindle._saving import arguments
from rekindle._saving.attempts import Attempt
from rekindle.errors import ArgumentError

__all__ = [
    "ArrayInfo",
    "Attempt",
    "Check",
    "Deletion",
    "FolderInfo",
    "History",
    "Now",
    "SaveInfo",
    "arrays",
    "delete",
    "export_variables",
    "export_weights",
    "history",
    "info",
    "report",
    "restore_weights",
    "values",
    "verify",
    "watch",
]


def info(directory: str | os.PathLike[str], *, storage_options: Options = None) -> FolderInfo:
    """Describes the content of the folder, and the process that has locked it.

    Raises:
        RestoreError: The system refused to list or to read.
    """
    storage = lookup.storage_at(directory, storage_options)
    for _ in range(reader.ATTEMPTS):
        if not reader.exists(storage):
            return FolderInfo(storage.url, "missing")
        catalogs = reader.catalogs(storage)
        found = describe.describe(storage, catalogs)
        # If a run has removed a checkpoint meanwhile, the result shows no real moment: look again.
        saves = lookup.oldest_first(catalogs)
        if all(reader.still_there(storage, prefix, manifest) for prefix, manifest in saves):
            break
    return found


def verify(directory: str | os.PathLike[str], *, storage_options: Options = None) -> list[Check]:
    """Reads every byte of every checkpoint. Returns a result for each, oldest first.

    Without checkpoints, the list is empty. A checkpoint that its run removes meanwhile is not in
    the list. rekindle reads bytes that several checkpoints share only once.

    Raises:
        RestoreError: The system refused to list or to read.
    """
    storage = lookup.storage_at(directory, storage_options)
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


def history(
    directory: str | os.PathLike[str], which: Which = "latest", *, storage_options: Options = None
) -> History:
    """Returns every epoch and metric of the run, up to the checkpoint.

    For each metric, this includes the epochs in which it was reported; and it has the attempts of
    the run.

    Args:
        directory: The folder.
        which: The checkpoint: ``"latest"``, a number, or a name such as ``"ckpt-12"``.
        storage_options: dict of settings of an object store, or ``None``.

    Raises:
        RestoreError: There is no such checkpoint, or the system refused to read.
        DamageError: The checkpoint is damaged.
        MismatchError: The checkpoint is not of a ``fit()``, and has no history.
    """
    return recorded.history(lookup.storage_at(directory, storage_options), which)


def watch(
    directory: str | os.PathLike[str], every: float = 1.0, *, storage_options: Options = None
) -> Iterator[Now]:
    """Looks at a run again and again, and yields what it is doing, until the run has ended.

    The last item says how the run ended. If there is no run yet, this waits for one. Looking takes
    no lock, writes nothing, reads no arrays and does not slow the training.

    Example::

        for now in rekindle.inspection.watch("backup", every=5):
            print(now.epoch, now.batch, now.speed, now.left)

    Args:
        directory: The folder. It need not exist yet.
        every: Seconds between two looks.
        storage_options: dict of settings of an object store, or ``None``.

    Raises:
        ArgumentError: `every` is not a number above 0. Or there is no such folder, and none that it
            could be made in.
        RestoreError: The system refused to list the folder.
    """
    return _now.watched(directory, every, storage_options)


def report(
    directory: str | os.PathLike[str],
    file: str | os.PathLike[str],
    *,
    storage_options: Options = None,
) -> str:
    """Writes a report of a run: one HTML file that needs nothing beside it.

    It shows each metric over the epochs, with the ends and resumes of attempts; a table of the
    attempts; and the settings. All of it comes from the newest complete checkpoint and the file
    `ckpt.witness`. A run may go on meanwhile.

    Args:
        directory: The folder.
        file: The file to write, whose name ends in ``.html``. An earlier report is replaced.
        storage_options: dict of settings of an object store, or ``None``.

    Returns:
        The absolute path of the file.

    Raises:
        ArgumentError: `file` has another ending, or is in the backup folder.
        ForeignFileError: There is a file of that name that is not a page of rekindle.
        SaveError: The system refused to write.
        RestoreError: There is no backup, or the system refused to read.
        DamageError: Every checkpoint is damaged.
    """
    page = files.Page(file, directory)
    page.write(_report.html(recorded.run(directory, storage_options)))
    return page.path


def arrays(
    directory: str | os.PathLike[str], which: Which = "latest", *, storage_options: Options = None
) -> list[ArrayInfo]:
    """Describes the arrays of a checkpoint. Arguments and errors are those of :func:`history`."""

    def read(_: str, manifest: Manifest) -> list[ArrayInfo]:
        return [
            ArrayInfo(name, row.dtype, row.shape, row.stop - row.start)
            for name, row in manifest.arrays.items()
        ]

    return lookup.with_save(lookup.storage_at(directory, storage_options), which, read)


def values(
    directory: str | os.PathLike[str],
    names: Collection[str] | None = None,
    which: Which = "latest",
    *,
    storage_options: Options = None,
) -> dict[str, AnyArray]:
    """Returns the values of arrays of a checkpoint. rekindle verifies each of them.

    Args:
        directory: The folder.
        names: Names of arrays, as :func:`arrays` gives them; by default all.
        which: As in :func:`history`.
        storage_options: dict of settings of an object store, or ``None``.

    Raises:
        ArgumentError: The checkpoint has no array of such a name.
        RestoreError, DamageError: As :func:`history`.
    """
    storage = lookup.storage_at(directory, storage_options)

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


def restore_weights(
    model: Any,
    directory: str | os.PathLike[str],
    which: Which = "latest",
    *,
    storage_options: Options = None,
) -> str:
    """Restores the weights of a checkpoint into a model, outside of ``fit()``.

    rekindle restores all variables of the model, variables that are not trained included. It does
    not change the optimizer, the metrics and the random states. By default rekindle takes the
    newest complete checkpoint. If you ask for another one, only its weights need to be complete.

    Args:
        model: A built model of Keras 3, or of Keras 2 (tf_keras), made like the saved model.
        directory: The folder.
        which: As in :func:`history`.
        storage_options: dict of settings of an object store, or ``None``.

    Returns:
        The checkpoint's name.

    Raises:
        MismatchError: The checkpoint is of another model; nothing was changed.
        ArgumentError: `model` is not a model of Keras 3 or of tf_keras.
        RestoreError, DamageError: As :func:`history`.
    """
    library, storage = loaded("tf_keras"), lookup.storage_at(directory, storage_options)
    if library is not None and isinstance(model, library.Model):
        from rekindle._tf_keras import weights as weights_of_keras_2

        return weights_of_keras_2.restore(model, storage, which)
    arguments.refuse_keras_2(model)
    from rekindle._keras import weights

    return weights.restore(model, storage, which)[0]


def export_weights(
    directory: str | os.PathLike[str],
    path: str | os.PathLike[str],
    model: Any,
    which: Which = "latest",
    *,
    force: bool = False,
    storage_options: Options = None,
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
        storage_options: dict of settings of an object store, or ``None``.

    Returns:
        The checkpoint's name, and whether the file holds the optimizer's state.

    Raises:
        ForeignFileError: The file exists, and `force` is False.
        SaveError: The system refused to write.
        MismatchError, RestoreError, DamageError, ArgumentError: As :func:`restore_weights`.
    """
    arguments.refuse_keras_2(model)
    from rekindle._keras import weights

    file = os.path.abspath(checks.file_path("path", path))
    return weights.export(
        lookup.storage_at(directory, storage_options), file, model, which, force=force
    )


def export_variables(
    directory: str | os.PathLike[str],
    path: str | os.PathLike[str],
    which: Which = "latest",
    *,
    force: bool = False,
    storage_options: Options = None,
) -> str:
    """Writes the variables of a program into a file for ``program.load_variables()`` of Synalinks.

    The file is the one that ``program.save_variables()`` would have written at that moment: it has
    the variables of the program, of its optimizer and of its metrics, and nothing else. Its prompts
    and examples are those that training tried last. Until ``fit()`` ends, the best ones are in the
    field `best_candidates`. This function needs no program. The file appears under its name once it
    is complete.

    Args:
        directory: The folder.
        path: The file. Its name ends in ``.variables.json``.
        which: As in :func:`history`.
        force: bool. Whether to replace an existing file.
        storage_options: dict of settings of an object store, or ``None``.

    Returns:
        The checkpoint's name.

    Raises:
        ForeignFileError: The file exists, and `force` is False.
        SaveError: The system refused to write.
        MismatchError: The checkpoint is not of a program, or two of its variables have one path.
        ArgumentError, RestoreError, DamageError: As :func:`export_weights`.
    """
    from rekindle._synalinks import variables_file

    file = os.path.abspath(checks.file_path("path", path))
    return variables_file.export(
        lookup.storage_at(directory, storage_options), file, which, force=force
    )


def delete(directory: str | os.PathLike[str], *, storage_options: Options = None) -> Deletion:
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
    return _deletion.delete(lookup.storage_at(directory, storage_options))
