"""Reads a folder without its lock: changes nothing, and a run may go on in the folder."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from rekindle._base.arrays import AnyArray
from rekindle._format import layout
from rekindle._format.manifest import Array, Damage, Manifest
from rekindle._format.snapshot import LoadedCheckpoint
from rekindle._repository import index, inventory, pack
from rekindle._storage import os_errors
from rekindle._storage.protocol import Storage
from rekindle.errors import DamageError, RestoreError, bulleted

# A run that saves meanwhile may remove checkpoints that we just found. Each attempt sees newer
# checkpoints.
ATTEMPTS = 20

_T = TypeVar("_T")


def catalogs(storage: Storage) -> dict[str, index.Index]:
    """The checkpoints in the folder, by the prefix of their names; empty without such a folder.

    Raises:
        RestoreError: The system refused to list or to read.
    """
    try:
        before: set[str] = set()
        for _ in range(ATTEMPTS):
            listed = storage.names()
            names = set(filter(layout.ANY_MANIFEST.fullmatch, listed))
            found = index.look(storage, listed)
            # If a run keeps only one checkpoint, it may remove all listed ones before we read them.
            if found or names == before:
                break
            before = names
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, MemoryError) as error:
        what = f"The backup {storage.url!r} cannot be read"
        raise os_errors.not_restored(what, storage.url, error) from error
    return found


def read(
    storage: Storage, manifest: Manifest, names: Collection[str] | None = None
) -> LoadedCheckpoint:
    """The checkpoint of this manifest, with the arrays of these names; by default with all arrays.

    Raises:
        Damage: A pack is missing, or its bytes are not those that were written.
        RestoreError: The system refused to read.
    """
    rows = manifest.arrays
    if names is not None:
        wanted = set(names)
        rows = {name: row for name, row in rows.items() if name in wanted}
    return LoadedCheckpoint(manifest, _read(storage, manifest, rows))


def _read(storage: Storage, manifest: Manifest, rows: Mapping[str, Array]) -> dict[str, AnyArray]:
    packs = {row.pack: manifest.packs[row.pack] for row in rows.values()}
    try:
        return pack.read(storage, dataclasses.replace(manifest, arrays=rows, packs=packs))
    except (OSError, MemoryError) as error:
        what = f"Checkpoint {manifest.number} in {storage.url!r} cannot be read"
        raise os_errors.not_restored(what, storage.url, error) from error


def verify(storage: Storage, manifest: Manifest) -> None:
    """Reads and checks every byte of a checkpoint, with only a part of it in memory at a time.

    Raises:
        Damage: The bytes are not those that were written.
        RestoreError: The system refused to read.
    """
    part: dict[str, Array] = {}
    size = 0
    # Read the packs one after the other, because each part reads the headers of its packs again.
    order = sorted(manifest.arrays, key=lambda name: _place(manifest.arrays[name]))
    for name in order:
        row = part[name] = manifest.arrays[name]
        size += row.stop - row.start
        if size >= _PART:
            _read(storage, manifest, part)
            part, size = {}, 0
    _read(storage, manifest, part)


def _place(row: Array) -> tuple[str, int]:
    return row.pack, row.start


_PART = 64 << 20


def newest(storage: Storage) -> tuple[str, Manifest] | None:
    """Prefix and manifest of the newest whole checkpoint; ``None`` if there are no checkpoints.

    Within one prefix, the order of saving decides; between prefixes, the time decides.

    Raises:
        DamageError: There are checkpoints, and none is whole.
        RestoreError: The system refused to list or to read.
    """
    found = _first_whole(storage, verify)
    return None if found is None else found[:2]


def exists(storage: Storage) -> bool:
    """Whether there is such a folder.

    Raises:
        RestoreError: The system refused to say, as an object store may.
    """
    try:
        return storage.exists
    except OSError as error:
        what = f"The backup {storage.url!r} cannot be read"
        raise os_errors.not_restored(what, storage.url, error) from error


def load_newest(storage: Storage) -> tuple[str, LoadedCheckpoint] | None:
    """Prefix and content of the newest whole checkpoint; otherwise as :func:`newest`."""
    found = _first_whole(storage, read)
    return None if found is None else (found[0], found[2])


def newest_prefix(storage: Storage) -> str | None:
    """The prefix of the newest checkpoint with a readable manifest; ``None`` if there is none."""
    # If the system refuses here, it refuses again below, where rekindle reports the error.
    with contextlib.suppress(OSError):
        matches = filter(None, map(layout.ANY_MANIFEST.fullmatch, storage.names()))
        prefixes = {match["prefix"] for match in matches}
        # Usually there is only one prefix. Then no manifest has to be read.
        if len(prefixes) == 1:
            return prefixes.pop()
    found = newest_first(catalogs(storage))
    return found[0][0] if found else None


def _first_whole(
    storage: Storage, check: Callable[[Storage, Manifest], _T]
) -> tuple[str, Manifest, _T] | None:
    for _ in range(ATTEMPTS):
        damages: dict[str, str] = {}
        moved = False
        found = catalogs(storage)
        for prefix, catalog in found.items():
            for number, damage in catalog.damaged.items():
                damages[f"{prefix}-{number}"] = damage
        for prefix, manifest in newest_first(found):
            try:
                return prefix, manifest, check(storage, manifest)
            except Damage as damage:
                moved = not still_there(storage, prefix, manifest)
                if moved:
                    break
                damages[f"{prefix}-{manifest.number}"] = str(damage)
        if not moved:
            if damages:
                raise all_damaged(storage.url, damages)
            return None
    raise too_fast(storage)


def too_fast(storage: Storage) -> RestoreError:
    return RestoreError(
        f"The checkpoints in {storage.url!r} are replaced faster than they can be read. Try again,"
        " or wait until the run that saves there has ended.",
        directory=storage.url,
        errno=None,
    )


def newest_first(found: Mapping[str, index.Index]) -> list[tuple[str, Manifest]]:
    """All checkpoints that have a whole manifest, newest first, with their prefixes."""
    saves: list[tuple[float, str, Manifest]] = []
    for prefix, catalog in found.items():
        # If the clock was set back, the order within one prefix must stay the order of saving.
        latest = -math.inf
        for manifest in catalog.in_order():
            latest = max(latest, manifest.time)
            saves.append((latest, prefix, manifest))
    saves.sort(key=lambda entry: entry[0])
    return [(prefix, manifest) for _, prefix, manifest in reversed(saves)]


def stands(storage: Storage, prefix: str) -> bool | None:
    """Whether the prefix has a checkpoint that is whole by sizes and headers; ``None`` if unknown.

    The answer is ``None`` if the system refused to read. This function raises no error for that,
    because its callers already handle a failure.
    """
    try:
        manifests = (name for name in storage.names() if layout.ANY_MANIFEST.fullmatch(name))
        names = [name for name in manifests if name.rpartition("-")[0] == prefix]
        found = newest_first(index.look(storage, names))
        return any(inventory.damage_at_a_glance(storage, one) is None for _, one in found)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, MemoryError):
        return None


def still_there(storage: Storage, prefix: str, manifest: Manifest) -> bool:
    """Whether this checkpoint still has its name: another save may have replaced or removed it."""
    try:
        return index.read_serial(storage, prefix, manifest.number) == manifest.serial
    except (OSError, Damage):
        return False


def all_damaged(directory: str, damages: dict[str, str]) -> DamageError:
    lines = [f"{name}: {damage}" for name, damage in damages.items()]
    return DamageError(
        f"No checkpoint in {directory!r} is whole, so nothing can be restored from it:\n"
        + bulleted(lines)
        + "Nothing was changed. To start afresh on purpose, rename or remove that folder.",
        directory=directory,
        damages=lines,
    )


def find(storage: Storage, name: str) -> tuple[str, Manifest]:
    """Prefix and manifest of the checkpoint with this name, ``<prefix>-<number>``.

    Raises:
        Damage: The bytes of the manifest are not those that were written.
        FormatError: The manifest has a newer format.
        FileNotFoundError: There is no such checkpoint.
        RestoreError: The system refused to read.
    """
    path = storage.where(name)
    match = layout.ANY_MANIFEST.fullmatch(name if name.endswith(".json") else f"{name}.json")
    if match is None:
        raise FileNotFoundError(path)
    prefix, number = match["prefix"], int(match[2])
    try:
        return prefix, index.read_manifest(storage, prefix, number)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except (OSError, MemoryError) as error:
        what = f"The checkpoint {path!r} cannot be read"
        raise os_errors.not_restored(what, storage.url, error) from error


def newest_name(storage: Storage) -> str | None:
    """Name of the newest whole checkpoint in a folder; see :func:`rekindle.latest_checkpoint`."""
    found = newest(storage)
    return None if found is None else f"{found[0]}-{found[1].number}"
