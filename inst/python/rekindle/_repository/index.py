"""The index of a folder: which checkpoints it holds, by file names and manifests' bytes."""

from __future__ import annotations

import errno
import json
from collections.abc import Collection
from dataclasses import dataclass, field

from rekindle._format import layout
from rekindle._format.decode import decode, may_be_whole, serial
from rekindle._format.manifest import Damage, Manifest
from rekindle._format.walk import weigh
from rekindle._repository import pack
from rekindle._storage.protocol import NotRegularError, Storage, TooLargeError
from rekindle.errors import ForeignFileError, FormatError


@dataclass
class Index:
    """The checkpoints of one prefix in one folder.

    Attributes:
        manifests: By number, the manifests that are whole.
        damaged: By number, the damage of each manifest that is not whole, in words.
    """

    manifests: dict[int, Manifest] = field(default_factory=dict)
    damaged: dict[int, str] = field(default_factory=dict)

    def in_order(self) -> list[Manifest]:
        """The checkpoints in the order of saving."""
        return sorted(self.manifests.values(), key=lambda save: (save.serial, save.number))

    def next_number(self) -> int:
        """The number after the highest number in use.

        Raises:
            OSError: Readers would not accept the next number.
        """
        number = max([0, *self.manifests, *self.damaged]) + 1
        if number > layout.MAX_NUMBER:
            raise OSError(
                errno.EOVERFLOW, f"checkpoint {number - 1} has the highest number that there is"
            )
        return number

    def next_serial(self) -> int:
        """The serial after the newest checkpoint's; raises as :meth:`next_number` does."""
        serial = max([0, *(manifest.serial for manifest in self.manifests.values())]) + 1
        if serial >= layout.COUNT_LIMIT:
            raise OSError(errno.EOVERFLOW, "the serial numbers of checkpoints are used up")
        return serial

    def protected_packs(self, names: Listing, prefix: str) -> set[str]:
        """Packs that must stay: in use, or of a damaged checkpoint that is not yet quarantined."""
        waiting = (names.packs.get((prefix, number), []) for number in self.damaged)
        return self.packs_in_use().union(*waiting)

    def packs_in_use(self) -> set[str]:
        return {name for manifest in self.manifests.values() for name in manifest.packs}


@dataclass
class Listing:
    """The names of checkpoint files in a folder.

    Attributes:
        manifests: The numbers in the names of manifests, by prefix.
        packs: The names of packs, by prefix and number.
    """

    manifests: dict[str, list[int]] = field(default_factory=dict)
    packs: dict[tuple[str, int], list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, names: list[str]) -> Listing:
        found = cls()
        for name in names:
            if match := layout.ANY_MANIFEST.fullmatch(name):
                found.manifests.setdefault(match["prefix"], []).append(int(match[2]))
            elif match := layout.ANY_PACK.fullmatch(name):
                found.packs.setdefault((match["prefix"], int(match[2])), []).append(name)
        return found


def scan(storage: Storage, prefix: str) -> Index:
    """Reads every manifest of a prefix in the folder, and changes nothing.

    Raises:
        FormatError: A manifest has a newer format.
        ForeignFileError: A file has a manifest's name, but rekindle did not write it.
        OSError: The system refused to list or to read.
    """
    names = Listing.of(storage.names())
    catalog, suspects = _read_all(storage, prefix, names, refuses=True)
    for number in _foreign(storage, {prefix: suspects}, names)[prefix]:
        raise _in_the_way(storage.where(layout.manifest_name(prefix, number)))
    catalog.damaged |= suspects
    return catalog


def look(storage: Storage, names: list[str]) -> dict[str, Index]:
    """As :func:`scan` for each prefix among the names, for a caller without the lock.

    This function skips foreign files, and reports checkpoints in a newer format as damaged.

    Raises:
        OSError: The system refused to read.
    """
    listing = Listing.of(names)
    found, suspects = {}, {}
    for prefix in sorted(listing.manifests):
        found[prefix], suspects[prefix] = _read_all(storage, prefix, listing, refuses=False)
    foreign = _foreign(storage, suspects, listing)
    for prefix, damages in suspects.items():
        for number in damages.keys() - foreign[prefix]:
            found[prefix].damaged[number] = damages[number]
    return {prefix: one for prefix, one in found.items() if one.manifests or one.damaged}


def _read_all(
    storage: Storage, prefix: str, names: Listing, *, refuses: bool
) -> tuple[Index, dict[int, str]]:
    """The checkpoints and, by number, the damage of files that may never have been manifests."""
    catalog, suspects = Index(), {}
    for number in names.manifests.get(prefix, ()):
        try:
            catalog.manifests[number] = read_manifest(storage, prefix, number)
        except FileNotFoundError:
            continue
        except FormatError as error:
            if refuses:
                raise
            catalog.damaged[number] = str(error)
        except Damage as damage:
            suspects[number] = str(damage)
    return catalog, suspects


def read_manifest(storage: Storage, prefix: str, number: int) -> Manifest:
    """The manifest of one checkpoint.

    Raises:
        Damage: The file under the manifest's name is not the file that was written.
        FormatError: The manifest has a newer format.
        OSError: The manifest does not exist, or the system refused to read it.
    """
    try:
        return _decoded(storage, prefix, number)
    except Damage:
        # A network may have damaged the bytes on their way.
        if not storage.is_remote:
            raise
        return _decoded(storage, prefix, number)


def _decoded(storage: Storage, prefix: str, number: int) -> Manifest:
    name = layout.manifest_name(prefix, number)
    return decode(_read(storage, name), prefix=prefix, number=number, path=storage.where(name))


def read_serial(storage: Storage, prefix: str, number: int) -> int:
    """A checkpoint's place in the order of saving; raises as :func:`read_manifest` does."""
    return serial(_read(storage, layout.manifest_name(prefix, number)))


def _read(storage: Storage, name: str) -> bytes:
    try:
        # Check both ends first: they reveal a sparse file, or a large foreign file.
        may_be_whole(*_ends(storage, name))
        return storage.read(name, layout.MAX_MANIFEST_BYTES)
    except NotRegularError:
        raise Damage("the manifest is not a regular file") from None
    except TooLargeError as error:
        raise Damage(f"the manifest is {error.strerror}") from None


def _ends(storage: Storage, name: str) -> tuple[bytes, bytes]:
    return storage.read_ends(name, len(layout.MANIFEST_MAGIC), layout.DIGEST_LINE_LENGTH)


def _foreign(
    storage: Storage, suspects: dict[str, dict[int, str]], names: Listing
) -> dict[str, set[int]]:
    """By prefix, the numbers of suspects without any sign that they ever were manifests.

    Damage can change every byte of a manifest. A pack of the same checkpoint, or an entry in our
    file `checkpoint`, is therefore a sign too. A file without any sign may be foreign, and rekindle
    must not touch it.
    """
    found: dict[str, set[int]] = {prefix: set() for prefix in suspects}
    unknown: dict[bytes, tuple[str, int]] = {}
    for prefix, damages in suspects.items():
        for number in damages:
            packs = names.packs.get((prefix, number), ())
            manifest = layout.manifest_name(prefix, number)
            if not _looks_like_manifest(storage, manifest) and not any(
                pack.is_ours(storage, name) for name in packs
            ):
                unknown[f"{prefix}-{number}".encode("utf-8", "surrogateescape")] = (prefix, number)
    for name in unknown.keys() - (_listed(storage, unknown.keys()) if unknown else set()):
        prefix, number = unknown[name]
        found[prefix].add(number)
    return found


def _in_the_way(path: str) -> ForeignFileError:
    return ForeignFileError(
        f"{path!r} is in the way: rekindle needs this name, and did not write this file. Nothing"
        " was changed. Move that file away, or choose another folder for the backup.",
        path=path,
    )


def _looks_like_manifest(storage: Storage, name: str) -> bool:
    try:
        head, tail = _ends(storage, name)
        if head == layout.MANIFEST_MAGIC or layout.DIGEST_LINE.fullmatch(tail) is None:
            return head == layout.MANIFEST_MAGIC
        # No document that ends in a digest line begins so: damage changed the bytes. Return now,
        # because it is not worth reading the whole of a sparse file.
        if head.strip() and not head.lstrip().startswith(b"{"):
            return True
        data = storage.read(name, layout.MAX_MANIFEST_BYTES)
        text = data.decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotRegularError, TooLargeError):
        return False
    try:
        # The most that the rows of a manifest may cost.
        weigh(text, 0, times=12)
    except ValueError:
        return False
    # A flipped bit in the first line leaves everything after that line intact. A whole foreign
    # document that ends in such a digest line is not a manifest of ours.
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return True
    return isinstance(document, dict) and {"arrays", "packs", "state"} <= document.keys()


def state_text(manifests: list[Manifest], prefix: str, preserved: float | None) -> bytes:
    """The text of the file `checkpoint`, as TensorFlow writes it: checkpoints in saving order."""
    lines = ["# rekindle writes this file anew at each save and does not depend on it."]
    if manifests:
        lines.append(f'model_checkpoint_path: "{prefix}-{manifests[-1].number}"')
    lines += [f'all_model_checkpoint_paths: "{prefix}-{manifest.number}"' for manifest in manifests]
    lines += [f"all_model_checkpoint_timestamps: {manifest.time!r}" for manifest in manifests]
    if preserved is not None:
        lines.append(f"last_preserved_timestamp: {preserved!r}")
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def state_is_ours(storage: Storage) -> bool:
    """Whether the file `checkpoint` is absent or ours; TensorFlow, too, writes such a file."""
    try:
        data = storage.read(layout.STATE, layout.MAX_STATE_BYTES)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    # Our file is not synced: a power cut may leave it empty, zeroed or cut off anywhere.
    return data.startswith(layout.STATE_MAGIC) or layout.STATE_MAGIC.startswith(data.rstrip(b"\0"))


def witness_is_ours(storage: Storage) -> bool:
    """Whether the file `ckpt.witness` is ours, or what a power cut may leave of it."""
    magic = layout.WITNESS_MAGIC
    try:
        data = storage.read_part(layout.WITNESS, 0, len(magic))
    except OSError:
        return False
    return magic.startswith(data.rstrip(b"\0"))


def _listed(storage: Storage, names: Collection[bytes]) -> set[bytes]:
    """The given names that our file `checkpoint` lists; none if the file is absent or foreign."""
    try:
        data = storage.read(layout.STATE, layout.MAX_STATE_BYTES)
    except OSError:
        return set()
    if not data.startswith(layout.STATE_MAGIC):
        return set()
    return {match[1] for match in layout.STATE_LINE.finditer(data) if match[1] in names}
