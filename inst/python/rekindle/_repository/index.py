"""Which saves a folder holds, told from their names and their manifests' own bytes."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Collection
from dataclasses import dataclass, field

from rekindle._format import layout
from rekindle._format.decode import decode, may_be_whole, serial
from rekindle._format.manifest import Damage, Manifest
from rekindle._format.walk import weigh
from rekindle._repository import pack
from rekindle._storage.local import fs
from rekindle.errors import ForeignFileError, FormatError


@dataclass
class Index:
    """The saves of one prefix in one folder.

    Attributes:
        manifests: By number, the saves whose manifest is whole.
        damaged: By number, what is wrong with the manifest of each other save.
    """

    manifests: dict[int, Manifest] = field(default_factory=dict)
    damaged: dict[int, str] = field(default_factory=dict)

    def in_order(self) -> list[Manifest]:
        """The saves in the order of saving."""
        return sorted(self.manifests.values(), key=lambda save: (save.serial, save.number))

    def next_number(self) -> int:
        """The number after the highest.

        Raises:
            OSError: There is none that a reader would know.
        """
        number = max([0, *self.manifests, *self.damaged]) + 1
        if number > layout.MAX_NUMBER:
            raise OSError(errno.EOVERFLOW, f"save {number - 1} is the last that has a number")
        return number

    def next_serial(self) -> int:
        """The place after the newest save's; raises as :meth:`next_number` does."""
        serial = max([0, *(manifest.serial for manifest in self.manifests.values())]) + 1
        if serial >= layout.COUNT_LIMIT:
            raise OSError(errno.EOVERFLOW, "no place is left in the order of saving")
        return serial

    def protected_packs(self, names: Listing, prefix: str) -> set[str]:
        """Packs that must stay: in use, or of a save whose damage is still to be set aside."""
        waiting = (names.packs.get((prefix, number), []) for number in self.damaged)
        return self.packs_in_use().union(*waiting)

    def packs_in_use(self) -> set[str]:
        return {name for manifest in self.manifests.values() for name in manifest.packs}


@dataclass
class Listing:
    """The names in a folder that are those of saves.

    Attributes:
        manifests: By the prefix, the numbers for which there is a manifest's name.
        packs: By prefix and number, the names of packs.
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


def scan(folder: str, prefix: str) -> Index:
    """Reads every manifest of a prefix in the folder, and changes nothing.

    Raises:
        FormatError: One of them is of a newer format.
        ForeignFileError: A file under a manifest's name is not rekindle's.
        OSError: The system refused to list or to read.
    """
    names = Listing.of(fs.names_in(folder))
    catalog, suspects = _read_all(folder, prefix, names, refuses=True)
    for number in _foreign(folder, {prefix: suspects}, names)[prefix]:
        raise _in_the_way(os.path.join(folder, layout.manifest_name(prefix, number)))
    catalog.damaged |= suspects
    return catalog


def look(folder: str, names: list[str]) -> dict[str, Index]:
    """As :func:`scan` for each prefix among the names, for a caller that only looks.

    Foreign files are passed over, and saves in a newer format are told of as damaged ones.

    Raises:
        OSError: The system refused to read.
    """
    listing = Listing.of(names)
    found, suspects = {}, {}
    for prefix in sorted(listing.manifests):
        found[prefix], suspects[prefix] = _read_all(folder, prefix, listing, refuses=False)
    foreign = _foreign(folder, suspects, listing)
    for prefix, damages in suspects.items():
        for number in damages.keys() - foreign[prefix]:
            found[prefix].damaged[number] = damages[number]
    return {prefix: one for prefix, one in found.items() if one.manifests or one.damaged}


def _read_all(
    folder: str, prefix: str, names: Listing, *, refuses: bool
) -> tuple[Index, dict[int, str]]:
    """The saves and, by number, what is wrong with files that may never have been manifests."""
    catalog, suspects = Index(), {}
    for number in names.manifests.get(prefix, ()):
        try:
            catalog.manifests[number] = read_manifest(folder, prefix, number)
        except FileNotFoundError:
            continue
        except FormatError as error:
            if refuses:
                raise
            catalog.damaged[number] = str(error)
        except Damage as damage:
            suspects[number] = str(damage)
    return catalog, suspects


def read_manifest(folder: str, prefix: str, number: int) -> Manifest:
    """The manifest of one save.

    Raises:
        Damage: What stands under its name is not what was written.
        FormatError: It is of a newer format.
        OSError: It is not there, or the system refused to read.
    """
    path = os.path.join(folder, layout.manifest_name(prefix, number))
    return decode(_read(path), prefix=prefix, number=number, path=path)


def read_serial(folder: str, prefix: str, number: int) -> int:
    """Its place in the order of saving; raises as :func:`read_manifest` does."""
    return serial(_read(os.path.join(folder, layout.manifest_name(prefix, number))))


def _read(path: str) -> bytes:
    try:
        # A sparse file, or a large one of somebody else's, is known by its ends.
        may_be_whole(*_ends(path))
        return fs.read_file(path, layout.MAX_MANIFEST_BYTES)
    except fs.NotRegularError:
        raise Damage("the manifest is not a regular file") from None
    except fs.TooLargeError as error:
        raise Damage(f"the manifest is {error.strerror}") from None


def _ends(path: str) -> tuple[bytes, bytes]:
    head = fs.read_part(path, 0, len(layout.MANIFEST_MAGIC))
    return head, fs.read_part(path, -layout.DIGEST_LINE_LENGTH, layout.DIGEST_LINE_LENGTH)


def _foreign(
    folder: str, suspects: dict[str, dict[int, str]], names: Listing
) -> dict[str, set[int]]:
    """By prefix, the suspects of which nothing shows that they ever were manifests.

    Damage can take every byte of one, so a pack of the same save, or the mention in our state file,
    speaks for it too. With no such sign, it may be anybody's file, and is not ours to touch.
    """
    found: dict[str, set[int]] = {prefix: set() for prefix in suspects}
    unknown: dict[bytes, tuple[str, int]] = {}
    for prefix, damages in suspects.items():
        for number in damages:
            packs = names.packs.get((prefix, number), ())
            path = os.path.join(folder, layout.manifest_name(prefix, number))
            if not _looks_like_manifest(path) and not any(
                pack.is_ours(os.path.join(folder, name)) for name in packs
            ):
                unknown[f"{prefix}-{number}".encode("utf-8", "surrogateescape")] = (prefix, number)
    for name in unknown.keys() - (_listed(folder, unknown.keys()) if unknown else set()):
        prefix, number = unknown[name]
        found[prefix].add(number)
    return found


def _in_the_way(path: str) -> ForeignFileError:
    return ForeignFileError(
        f"{path!r} stands where rekindle would write, and rekindle did not write it. Nothing was"
        " touched. Move that file away, or choose another folder for the backup.",
        path=path,
    )


def _looks_like_manifest(path: str) -> bool:
    try:
        head, tail = _ends(path)
        if head == layout.MANIFEST_MAGIC or layout.DIGEST_LINE.fullmatch(tail) is None:
            return head == layout.MANIFEST_MAGIC
        # No document begins so: the bytes were changed. All of a sparse file is not worth reading.
        if head.strip() and not head.lstrip().startswith(b"{"):
            return True
        text = fs.read_file(path, layout.MAX_MANIFEST_BYTES).decode("utf-8", "surrogateescape")
    except (FileNotFoundError, fs.NotRegularError, fs.TooLargeError):
        return False
    try:
        # As much as the rows of a manifest may come to.
        weigh(text, 0, times=12)
    except ValueError:
        return False
    # A flipped bit in the first line leaves everything after it; a whole document of somebody
    # else's that ends in such a line is no manifest of ours.
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return True
    return isinstance(document, dict) and {"arrays", "packs", "state"} <= document.keys()


def state_text(manifests: list[Manifest], prefix: str, preserved: float | None) -> bytes:
    """The file `checkpoint`: the saves in the order of saving, in TensorFlow's own words for it."""
    lines = ["# rekindle writes this file anew at each save and does not depend on it."]
    if manifests:
        lines.append(f'model_checkpoint_path: "{prefix}-{manifests[-1].number}"')
    lines += [f'all_model_checkpoint_paths: "{prefix}-{manifest.number}"' for manifest in manifests]
    lines += [f"all_model_checkpoint_timestamps: {manifest.time!r}" for manifest in manifests]
    if preserved is not None:
        lines.append(f"last_preserved_timestamp: {preserved!r}")
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def state_is_ours(folder: str) -> bool:
    """Whether the file `checkpoint` is absent or ours: TensorFlow, too, has one of that name."""
    try:
        data = fs.read_file(os.path.join(folder, layout.STATE), layout.MAX_STATE_BYTES)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    # It is not synced: a power cut may leave it empty, zeroed or cut off anywhere.
    return data.startswith(layout.STATE_MAGIC) or layout.STATE_MAGIC.startswith(data.rstrip(b"\0"))


def _listed(folder: str, names: Collection[bytes]) -> set[bytes]:
    """Those of the names that our own state file has; none when it is absent or not ours."""
    try:
        data = fs.read_file(os.path.join(folder, layout.STATE), layout.MAX_STATE_BYTES)
    except OSError:
        return set()
    if not data.startswith(layout.STATE_MAGIC):
        return set()
    return {match[1] for match in layout.STATE_LINE.finditer(data) if match[1] in names}
