"""The checkpoints in a place, as far as it takes to compare two places and to copy them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import xxhash

from rekindle._format import layout
from rekindle._format.decode import decode
from rekindle._format.manifest import Damage, Manifest
from rekindle._storage.protocol import Storage, StoredFile
from rekindle.errors import FormatError

_PIECE = 8 << 20


@dataclass(frozen=True)
class Contents:
    """The manifests that can be read.

    Attributes:
        names: The names of all files.
        texts: Their bytes, by the name of the file.
        manifests: The same, decoded.
    """

    names: list[str]
    texts: dict[str, bytes]
    manifests: dict[str, Manifest]

    @property
    def in_order(self) -> list[str]:
        """The names in the order of saving."""
        return sorted(self.manifests, key=lambda name: _age(self.manifests[name]))

    @property
    def age(self) -> tuple[int, int]:
        """Grows with each save: the newest session that wrote a pack, and the newest serial."""
        ages = [_age(manifest) for manifest in self.manifests.values()]
        return max(ages, default=(-1, -1))


def _age(manifest: Manifest) -> tuple[int, int]:
    return max(map(layout.pack_session, manifest.packs), default=0), manifest.serial


def of(storage: Storage) -> Contents:
    """Reads all manifests, of any prefix. Those that are damaged or newer are left out."""
    try:
        names = storage.names()
    except (FileNotFoundError, NotADirectoryError):
        names = []
    texts, manifests = {}, {}
    for name in names:
        match = layout.ANY_MANIFEST.fullmatch(name)
        if match is None:
            continue
        try:
            text = storage.read(name, layout.MAX_MANIFEST_BYTES)
            found = decode(
                text, prefix=match["prefix"], number=int(match[2]), path=storage.where(name)
            )
        except (Damage, FormatError, FileNotFoundError):
            continue
        texts[name], manifests[name] = text, found
    return Contents(names, texts, manifests)


def is_whole(storage: Storage, manifest: Manifest) -> bool:
    """Whether every byte of a checkpoint is the one that was written."""
    for name, pack in manifest.packs.items():
        try:
            with storage.open(name) as file:
                rows = [row for row in manifest.arrays.values() if row.pack == name]
                parts = [(0, pack.header, pack.digest)]
                parts += [(row.start, row.stop, row.digest) for row in rows]
                if file.size != pack.size or not all(_is(file, *part) for part in parts):
                    return False
        except FileNotFoundError:
            return False
    return True


def _is(file: StoredFile, start: int, stop: int, digest: str) -> bool:
    whole = xxhash.xxh3_128()
    for piece in pieces(file, start, stop):
        whole.update(piece)
    return whole.hexdigest() == digest


def pieces(file: StoredFile, start: int, stop: int) -> Iterator[memoryview]:
    """The bytes of a file, each piece in memory of its own."""
    file.expect(start, stop)
    while start < stop:
        piece = memoryview(bytearray(min(_PIECE, stop - start)))
        count = file.read_into(piece, start)
        if not count:
            return
        yield piece[:count]
        start += count
