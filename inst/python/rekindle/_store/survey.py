"""What lies in a folder, by name and size; hardly anything is read, and nothing changed."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field

from rekindle._store import catalog as cat
from rekindle._store import format as fmt
from rekindle._store import fs, pack
from rekindle._store.lock import read_holder
from rekindle._store.manifest import Damage, Manifest
from rekindle.errors import ForeignFileError


@dataclass(frozen=True)
class Survey:
    """The names in a folder, and the sizes of their files in bytes.

    Attributes:
        ours: Files of the saves, the lock and the list of saves.
        set_aside: Files that were found damaged, under the names they were given then.
        leftovers: What is being written or, when no run holds the folder, what a crash left.
        foreign: Everything else; a folder counts as 0 bytes.
    """

    ours: dict[str, int] = field(default_factory=dict)
    set_aside: dict[str, int] = field(default_factory=dict)
    leftovers: dict[str, int] = field(default_factory=dict)
    foreign: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all files that are rekindle's."""
        return sum(sum(files.values()) for files in (self.ours, self.set_aside, self.leftovers))


def survey(directory: str, catalogs: Mapping[str, cat.Catalog]) -> Survey:
    """Tells the files of the folder apart, given the saves in it.

    Raises:
        OSError: The system refused to list it.
    """
    found = Survey()
    for name in sorted(fs.names_in(directory)):
        status = _status(os.path.join(directory, name))
        if status is not None:
            place: dict[str, int] = getattr(found, _kind(directory, name, catalogs))
            place[name] = status.st_size if stat.S_ISREG(status.st_mode) else 0
    return found


def _status(path: str) -> os.stat_result | None:
    """``None`` when a run has taken the file away meanwhile."""
    try:
        return os.lstat(path)
    except OSError:
        return None


def _kind(directory: str, name: str, catalogs: Mapping[str, cat.Catalog]) -> str:
    path = os.path.join(directory, name)
    plain = fmt.DAMAGED_ENDING.sub("", name)
    prefixes = {fmt.PREFIX, *catalogs}
    if plain != name and any(_is_name_of_save(plain, prefix) for prefix in prefixes):
        return "set_aside"
    if any(fmt.temporary_pattern(prefix).fullmatch(name) for prefix in prefixes):
        return "leftovers"
    if any(_is_part(path, name, prefix, catalogs.get(prefix)) for prefix in prefixes):
        return "ours"
    if name == fmt.LOCK and _is_lock(path):
        return "ours"
    if name == fmt.SETTLED and _begins_with(path, fmt.SETTLED_MAGIC):
        return "ours"
    return "ours" if name == fmt.STATE and cat.state_is_ours(directory) else "foreign"


def _begins_with(path: str, magic: bytes) -> bool:
    try:
        return fs.read_file(path, fmt.MAX_STATE_BYTES).startswith(magic)
    except OSError:
        return False


def _is_name_of_save(name: str, prefix: str) -> bool:
    patterns = (fmt.manifest_pattern(prefix), fmt.pack_pattern(prefix))
    return any(pattern.fullmatch(name) for pattern in patterns)


def _is_part(path: str, name: str, prefix: str, catalog: cat.Catalog | None) -> bool:
    match = fmt.manifest_pattern(prefix).fullmatch(name)
    if match:
        number = int(match[1])
        return catalog is not None and (number in catalog.manifests or number in catalog.damaged)
    if fmt.pack_pattern(prefix).fullmatch(name) is None:
        return False
    return (catalog is not None and name in catalog.packs_in_use()) or pack.is_ours(path)


def _is_lock(path: str) -> bool:
    try:
        fd, _ = fs.open_regular(path)
        with fs.closing(fd):
            read_holder(fd, path)
    except (OSError, ForeignFileError):
        return False
    return True


def own_packs(prefix: str, manifest: Manifest) -> list[str]:
    """The packs that were written with this save, and not with an older one."""
    matches = map(fmt.pack_pattern(prefix).fullmatch, manifest.packs)
    return [match[0] for match in matches if match and int(match[1]) == manifest.number]


def shared_bytes(prefix: str, manifest: Manifest) -> int:
    """Bytes of this save's arrays that lie in packs of older saves."""
    own = own_packs(prefix, manifest)
    return sum(row.stop - row.start for row in manifest.arrays.values() if row.pack not in own)


def damage_at_a_glance(directory: str, manifest: Manifest) -> str | None:
    """What is wrong with the packs, as far as their sizes and headers show; ``None`` if nothing.

    Raises:
        OSError: The system refused to read.
    """
    try:
        pack.read(directory, dataclasses.replace(manifest, arrays={}))
    except Damage as damage:
        return str(damage)
    return None
