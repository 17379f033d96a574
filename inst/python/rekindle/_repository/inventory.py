"""Lists the files in a folder with their sizes; reads few bytes, and changes nothing."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from rekindle._format import layout
from rekindle._format.manifest import Damage, Manifest, Pack
from rekindle._repository import index, pack
from rekindle._storage.protocol import FileStatus, Storage


@dataclass(frozen=True)
class Inventory:
    """The names in a folder, and the sizes of their files in bytes.

    Attributes:
        ours: Files of the checkpoints, the lock file, the list of checkpoints, ``takeover.json``,
            ``ckpt.witness``.
        set_aside: Quarantined files, under the names that rekindle gave them.
        leftovers: Files being written or, if no run holds the folder, leftovers of a crash.
        foreign: The names of everything else, without a look at the files: there may be many.
    """

    ours: dict[str, int] = field(default_factory=dict)
    set_aside: dict[str, int] = field(default_factory=dict)
    leftovers: dict[str, int] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Total bytes of the files that rekindle wrote."""
        return sum(sum(files.values()) for files in (self.ours, self.set_aside, self.leftovers))


def survey(storage: Storage, catalogs: Mapping[str, index.Index]) -> Inventory:
    """Sorts the files of the folder by kind, given its checkpoints.

    Raises:
        OSError: The system refused to list the folder.
    """
    found = Inventory()
    packs = {prefix: catalog.packs_in_use() for prefix, catalog in catalogs.items()}
    for name in sorted(storage.names()):
        kind = _kind(storage, name, catalogs, packs)
        if kind is None:
            found.foreign.append(name)
            continue
        status = _status(storage, name)
        if status is not None:
            place: dict[str, int] = getattr(found, kind)
            place[name] = status.size
    return found


def _status(storage: Storage, name: str) -> FileStatus | None:
    """The file's status; ``None`` if a run removed the file meanwhile."""
    try:
        return storage.status(name)
    except OSError:
        return None


def _kind(
    storage: Storage,
    name: str,
    catalogs: Mapping[str, index.Index],
    packs: Mapping[str, Container[str]],
) -> str | None:
    """The part of the inventory to which the file belongs; ``None`` if it is foreign."""
    plain = layout.DAMAGED_ENDING.sub("", name)
    if plain != name and _is_name_of_save(plain, catalogs):
        return "set_aside"
    final = layout.final_name(name)
    hints = (layout.STATE, layout.WITNESS)
    if final is not None and (final in hints or _is_name_of_save(final, catalogs)):
        return "leftovers"
    if _is_name_of_save(name, catalogs) and _is_part(storage, name, catalogs, packs):
        return "ours"
    if name == layout.LOCK and storage.has_own_lock():
        return "ours"
    if name == layout.SETTLED and _begins_with(storage, name, layout.SETTLED_MAGIC):
        return "ours"
    if name == layout.WITNESS and index.witness_is_ours(storage):
        return "ours"
    return "ours" if name == layout.STATE and index.state_is_ours(storage) else None


def _begins_with(storage: Storage, name: str, magic: bytes) -> bool:
    try:
        return storage.read_part(name, 0, len(magic)) == magic
    except OSError:
        return False


def _is_name_of_save(name: str, prefixes: Container[str]) -> bool:
    match = layout.of_checkpoint(name)
    return match is not None and (match["prefix"] == layout.PREFIX or match["prefix"] in prefixes)


def _is_part(
    storage: Storage,
    name: str,
    catalogs: Mapping[str, index.Index],
    packs: Mapping[str, Container[str]],
) -> bool:
    match = layout.ANY_MANIFEST.fullmatch(name)
    if match:
        catalog, number = catalogs.get(match["prefix"]), int(match[2])
        return catalog is not None and (number in catalog.manifests or number in catalog.damaged)
    match = layout.ANY_PACK.fullmatch(name)
    return match is not None and (
        name in packs.get(match["prefix"], ()) or pack.is_ours(storage, name)
    )


def shared_bytes(prefix: str, manifest: Manifest) -> int:
    """Bytes of this checkpoint's arrays that lie in packs of older checkpoints."""
    own = {name for name in manifest.packs if layout.pack_number(name, prefix) == manifest.number}
    return sum(row.stop - row.start for row in manifest.arrays.values() if row.pack not in own)


def damage_at_a_glance(
    storage: Storage, manifest: Manifest, seen: set[tuple[str, Pack]] | None = None
) -> str | None:
    """The damage of the packs, as far as their sizes and headers show; ``None`` if none.

    Args:
        storage: The folder's storage.
        manifest: The manifest of the checkpoint.
        seen: Packs already found whole, which are not checked again. This function adds to them.

    Raises:
        OSError: The system refused to read.
    """
    seen = set() if seen is None else seen
    try:
        for entry in manifest.packs.items():
            if entry not in seen:
                pack.look(storage, *entry)
                seen.add(entry)
    except Damage as damage:
        return str(damage)
    return None
