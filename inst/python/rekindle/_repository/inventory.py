"""Lists the files in a folder with their sizes; reads few bytes, and changes nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from rekindle._format import layout
from rekindle._format.manifest import Damage, Manifest, Pack
from rekindle._repository import index, pack
from rekindle._storage.local import fs
from rekindle._storage.local.lock import read_holder
from rekindle.errors import ForeignFileError


@dataclass(frozen=True)
class Inventory:
    """The names in a folder, and the sizes of their files in bytes.

    Attributes:
        ours: Files of the checkpoints, the lock file, the list of checkpoints, ``takeover.json``.
        set_aside: Quarantined files, under the names that rekindle gave them.
        leftovers: Files being written or, if no run holds the folder, leftovers of a crash.
        foreign: Everything else. A folder counts as 0 bytes.
    """

    ours: dict[str, int] = field(default_factory=dict)
    set_aside: dict[str, int] = field(default_factory=dict)
    leftovers: dict[str, int] = field(default_factory=dict)
    foreign: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Total bytes of the files that rekindle wrote."""
        return sum(sum(files.values()) for files in (self.ours, self.set_aside, self.leftovers))


def survey(directory: str, catalogs: Mapping[str, index.Index]) -> Inventory:
    """Sorts the files of the folder by kind, given its checkpoints.

    Raises:
        OSError: The system refused to list the folder.
    """
    found = Inventory()
    packs = {prefix: catalog.packs_in_use() for prefix, catalog in catalogs.items()}
    for name in sorted(fs.names_in(directory)):
        status = _status(os.path.join(directory, name))
        if status is not None:
            place: dict[str, int] = getattr(found, _kind(directory, name, catalogs, packs))
            place[name] = status.st_size if stat.S_ISREG(status.st_mode) else 0
    return found


def _status(path: str) -> os.stat_result | None:
    """The file's status; ``None`` if a run removed the file meanwhile."""
    try:
        return os.lstat(path)
    except OSError:
        return None


def _kind(
    directory: str,
    name: str,
    catalogs: Mapping[str, index.Index],
    packs: Mapping[str, Container[str]],
) -> str:
    path = os.path.join(directory, name)
    plain = layout.DAMAGED_ENDING.sub("", name)
    if plain != name and _is_name_of_save(plain, catalogs):
        return "set_aside"
    final = layout.final_name(name)
    if final is not None and (final == layout.STATE or _is_name_of_save(final, catalogs)):
        return "leftovers"
    if _is_name_of_save(name, catalogs) and _is_part(path, name, catalogs, packs):
        return "ours"
    if name == layout.LOCK and _is_lock(path):
        return "ours"
    if name == layout.SETTLED and _begins_with(path, layout.SETTLED_MAGIC):
        return "ours"
    return "ours" if name == layout.STATE and index.state_is_ours(directory) else "foreign"


def _begins_with(path: str, magic: bytes) -> bool:
    try:
        return fs.read_part(path, 0, len(magic)) == magic
    except OSError:
        return False


def _is_name_of_save(name: str, prefixes: Container[str]) -> bool:
    match = layout.ANY_MANIFEST.fullmatch(name) or layout.ANY_PACK.fullmatch(name)
    return match is not None and (match["prefix"] == layout.PREFIX or match["prefix"] in prefixes)


def _is_part(
    path: str,
    name: str,
    catalogs: Mapping[str, index.Index],
    packs: Mapping[str, Container[str]],
) -> bool:
    match = layout.ANY_MANIFEST.fullmatch(name)
    if match:
        catalog, number = catalogs.get(match["prefix"]), int(match[2])
        return catalog is not None and (number in catalog.manifests or number in catalog.damaged)
    match = layout.ANY_PACK.fullmatch(name)
    return match is not None and (name in packs.get(match["prefix"], ()) or pack.is_ours(path))


def _is_lock(path: str) -> bool:
    try:
        fd, _ = fs.open_regular(path)
        with fs.closing(fd):
            read_holder(fd, path)
    except (OSError, ForeignFileError):
        return False
    return True


def shared_bytes(prefix: str, manifest: Manifest) -> int:
    """Bytes of this checkpoint's arrays that lie in packs of older checkpoints."""
    own = {name for name in manifest.packs if layout.pack_number(name, prefix) == manifest.number}
    return sum(row.stop - row.start for row in manifest.arrays.values() if row.pack not in own)


def damage_at_a_glance(
    directory: str, manifest: Manifest, seen: set[tuple[str, Pack]] | None = None
) -> str | None:
    """The damage of the packs, as far as their sizes and headers show; ``None`` if none.

    Args:
        directory: The folder.
        manifest: The manifest of the checkpoint.
        seen: Packs already found whole, which are not checked again. This function adds to them.

    Raises:
        OSError: The system refused to read.
    """
    seen = set() if seen is None else seen
    try:
        for entry in manifest.packs.items():
            if entry not in seen:
                pack.look(directory, *entry)
                seen.add(entry)
    except Damage as damage:
        return str(damage)
    return None
