"""Finds a checkpoint and reads parts of it, while a run may replace it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from rekindle._base import checks, places
from rekindle._codec import tree as _tree
from rekindle._format.manifest import Damage, Manifest, Pack
from rekindle._format.snapshot import LoadedCheckpoint
from rekindle._repository import index, inventory, reader
from rekindle._saving import metadata, open_runs
from rekindle._storage import os_errors
from rekindle._storage.protocol import Storage
from rekindle._storage.resolve import resolve
from rekindle.errors import ArgumentError, DamageError, RestoreError

_T = TypeVar("_T")

_A_SAVE = "the path of a checkpoint, as a string or an os.PathLike"

Which = str | int
Options = Mapping[str, Any] | None


def storage_at(directory: Any, options: Options = None) -> Storage:
    """The folder's storage. Waits for the last save of an ended fit().

    Raises:
        ArgumentError: `directory` is no place for checkpoints, or `options` are not accepted.
    """
    place = places.absolute(checks.place("directory", directory))
    # The last save of a fit() that was interrupted in this session may not be durable yet.
    open_runs.settle(place)
    return resolve(place, options=checks.storage_options(options))


@contextlib.contextmanager
def refusals(storage: Storage) -> Iterator[None]:
    """Turns a refusal of the system into a :class:`RestoreError`."""
    try:
        yield
    except RestoreError:
        raise
    except (OSError, MemoryError) as error:
        what = f"The backup {storage.url!r} cannot be read"
        raise os_errors.not_restored(what, storage.url, error) from error


def with_save(
    storage: Storage, which: Which, read: Callable[[str, Manifest], _T], *, whole: bool = False
) -> _T:
    """Finds a checkpoint, and returns the result of `read` for its prefix and its manifest.

    Args:
        storage: The folder's storage.
        which: ``"latest"``, a number or a name.
        read: Raises :class:`Damage` on bytes that are not those written. If the checkpoint is no
            longer there, this function then looks for it again.
        whole: Whether to read every byte of the latest checkpoint before using it.

    Raises:
        DamageError: The checkpoint, or every checkpoint, is damaged.
        RestoreError: There is no such checkpoint, or the system refused to read.
    """
    for _ in range(reader.ATTEMPTS):
        found = _find(storage, which, whole=whole)
        if found is None:
            continue
        prefix, manifest = found
        try:
            with refusals(storage):
                return read(prefix, manifest)
        except Damage as damage:
            if reader.still_there(storage, prefix, manifest):
                raise _damaged(storage.url, f"{prefix}-{manifest.number}", str(damage)) from None
    raise reader.too_fast(storage)


def _find(storage: Storage, which: Which, *, whole: bool) -> tuple[str, Manifest] | None:
    """The checkpoint; ``None`` if a run removed it during the search."""
    if which != "latest":
        return _named(storage, which)
    found = reader.newest(storage) if whole else _newest_at_a_glance(storage)
    if found is None and not whole and reader.catalogs(storage):
        return None
    if found is None:
        raise absent(storage)
    return found


def absent(storage: Storage) -> RestoreError:
    """The error of a folder without checkpoints. A misspelt path is no empty folder."""
    what = "checkpoint in" if reader.exists(storage) else "folder"
    return RestoreError(f"There is no {what} {storage.url!r}.", directory=storage.url, errno=None)


def _newest_at_a_glance(storage: Storage) -> tuple[str, Manifest] | None:
    catalogs = reader.catalogs(storage)
    damages = {
        f"{prefix}-{number}": damage
        for prefix, catalog in catalogs.items()
        for number, damage in catalog.damaged.items()
    }
    for prefix, manifest in reader.newest_first(catalogs):
        with refusals(storage):
            damage = inventory.damage_at_a_glance(storage, manifest)
        if damage is None:
            return prefix, manifest
        if not reader.still_there(storage, prefix, manifest):
            return None
        damages[f"{prefix}-{manifest.number}"] = damage
    if damages:
        raise reader.all_damaged(storage.url, damages)
    return None


def _named(storage: Storage, which: Which) -> tuple[str, Manifest]:
    names = _names(storage, which)
    if len(names) > 1:
        raise ArgumentError(
            f"Several checkpoints in {storage.url!r} have the number {which}. Give the name of one"
            f" of them: {', '.join(map(repr, names))}.",
            argument="which",
            value=which,
        )
    try:
        if not names:
            raise FileNotFoundError
        prefix, manifest = reader.find(storage, names[0])
    except FileNotFoundError:
        raise RestoreError(
            f"There is no checkpoint {which!r} in {storage.url!r}. {_there_are(storage)}",
            directory=storage.url,
            errno=None,
        ) from None
    except Damage as damage:
        raise _damaged(storage.url, names[0], str(damage)) from None
    return prefix, manifest


def _names(storage: Storage, which: Any) -> list[str]:
    if isinstance(which, str) and os.path.basename(which) == which and which:
        return [which]
    if isinstance(which, int | np.integer) and not isinstance(which, bool) and which >= 0:
        return [name for name in _all_names(storage) if name.rpartition("-")[2] == str(which)]
    raise ArgumentError(
        f"Invalid value for argument `which`. Received: which={which!r}. Expected 'latest', the"
        " number of a checkpoint, or its name, such as 'ckpt-12'.",
        argument="which",
        value=which,
    )


def _all_names(storage: Storage) -> list[str]:
    return [
        f"{prefix}-{number}"
        for prefix, catalog in reader.catalogs(storage).items()
        for number in sorted({*catalog.manifests, *catalog.damaged})
    ]


def _there_are(storage: Storage) -> str:
    names = _all_names(storage)
    shown = ", ".join(names[-20:])
    return f"The folder has: {shown}." if names else "The folder has no checkpoint."


def _damaged(directory: str, name: str, damage: str) -> DamageError:
    return DamageError(
        f"Checkpoint {name} in {directory!r} is damaged: {damage}. Nothing was changed.",
        directory=directory,
        damages=[f"{name}: {damage}"],
    )


def oldest_first(catalogs: Mapping[str, index.Index]) -> list[tuple[str, Manifest]]:
    """Every checkpoint with a whole manifest, with its prefix."""
    return reader.newest_first(catalogs)[::-1]


def tree(storage: Storage, manifest: Manifest, key: str) -> Any:
    """A part of the checkpoint's state, rebuilt from JSON values and arrays.

    Raises:
        Damage: The part, or its arrays, are not as they were written.
        RestoreError: The system refused to read.
    """
    names = [name for name in manifest.arrays if name.startswith(f"{key}/")]
    arrays = reader.read(storage, manifest, names).arrays if names else {}
    try:
        return _tree.unflatten(manifest.state[key], arrays)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Damage(f"its {key} cannot be read: {error!r:.200}") from None


def metrics(storage: Storage, manifest: Manifest) -> dict[str, Any]:
    """The metrics of the checkpoint: the user's own values, else those of its last epoch."""
    found: dict[str, Any] = {}
    # Leave out metrics that cannot be read. The verification of the checkpoint reports them.
    with contextlib.suppress(Damage, RestoreError, KeyError, TypeError, AttributeError):
        if isinstance(manifest.state.get("metadata"), dict) and manifest.state["metadata"]:
            found = dict(tree(storage, manifest, "metadata"))
        elif manifest.state.get("history"):
            table = tree(storage, manifest, "history")["metrics"]
            found = {str(name): column[-1] for name, column in table.items() if column}
    plain = {str(name): plain_value(value) for name, value in found.items()}
    return {name: value for name, value in plain.items() if value is not None}


def plain_value(value: Any) -> Any:
    """A number, string or bool without its framework; ``None`` for anything else."""
    if isinstance(value, np.ndarray | np.generic) and value.size == 1:
        value = value.item() if value.dtype.kind in "biuf" else value.astype(np.float64).item()
    return value if isinstance(value, bool | int | float | str) else None


def verified(
    storage: Storage, manifest: Manifest, seen: set[Any], packs: set[tuple[str, Pack]]
) -> str | None:
    """The damage of the checkpoint's bytes; ``None`` if there is none.

    Args:
        storage: The folder's storage.
        manifest: The manifest of the checkpoint.
        seen: Arrays that were read already, and are not read again. This function adds to the set.
        packs: The same for the headers of packs.

    Raises:
        RestoreError: The system refused to read.
    """
    rows = {name: (manifest.packs[row.pack], row) for name, row in manifest.arrays.items()}
    fresh = {name: manifest.arrays[name] for name, row in rows.items() if row not in seen}
    try:
        with refusals(storage):
            damage = inventory.damage_at_a_glance(storage, manifest, packs)
        if damage is not None:
            return damage
        reader.verify(storage, dataclasses.replace(manifest, arrays=fresh))
    except Damage as found:
        return str(found)
    seen.update(rows.values())
    return None


def find(path: str | os.PathLike[str], options: Options = None) -> tuple[Storage, Manifest]:
    """The storage and the manifest of the checkpoint at this path.

    Raises:
        DamageError: Its manifest is not whole.
        RestoreError: There is no checkpoint, or the system refused to read.
    """
    name = checks.place("save_path", path, _A_SAVE)
    directory, base = places.split(places.absolute(name))
    storage = resolve(directory, options=checks.storage_options(options))
    try:
        return storage, reader.find(storage, base)[1]
    except FileNotFoundError as error:
        is_folder = os.path.isdir(name)
        what = f"{name!r} is a folder" if is_folder else f"There is no checkpoint {name!r}"
        raise RestoreError(
            f"{what}. latest_checkpoint() gives the newest checkpoint of a folder.",
            directory=directory,
            errno=error.errno,
        ) from None
    except Damage as damage:
        raise _path_is_damaged(name, directory, damage) from None


def load(path: str | os.PathLike[str], options: Options = None) -> LoadedCheckpoint:
    """The checkpoint at this path, with every byte verified.

    Raises:
        FormatError: A newer rekindle wrote it, with a state that this rekindle does not know.
        DamageError: The checkpoint is not whole.
        RestoreError: There is no checkpoint, or the system refused to read.
    """
    storage, manifest = find(path, options)
    metadata.refuse_newer(storage.url, manifest)
    try:
        return reader.read(storage, manifest)
    except Damage as damage:
        name = checks.place("save_path", path, _A_SAVE)
        raise _path_is_damaged(name, storage.url, damage) from None


def _path_is_damaged(path: str, directory: str, damage: object) -> DamageError:
    return DamageError(
        f"The checkpoint {path!r} is damaged: {damage}. Nothing was changed."
        " latest_checkpoint() finds the newest whole checkpoint.",
        directory=directory,
        damages=[str(damage)],
    )
