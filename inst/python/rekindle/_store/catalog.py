"""Which saves a folder holds, told from their names and their manifests' own bytes."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from dataclasses import dataclass, field

from rekindle._store import format as fmt
from rekindle._store import fs, pack
from rekindle._store.decode import decode
from rekindle._store.manifest import Damage, Manifest
from rekindle.errors import ForeignFileError, FormatError


@dataclass
class Catalog:
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
        if number > fmt.MAX_NUMBER:
            raise OSError(errno.EOVERFLOW, f"save {number - 1} is the last that has a number")
        return number

    def next_serial(self) -> int:
        """The place after the newest save's; raises as :meth:`next_number` does."""
        serial = max([0, *(manifest.serial for manifest in self.manifests.values())]) + 1
        if serial >= fmt.COUNT_LIMIT:
            raise OSError(errno.EOVERFLOW, "no place is left in the order of saving")
        return serial

    def protected_packs(self, folder_names: list[str], prefix: str) -> set[str]:
        """Packs that must stay: in use, or of a save whose damage is still to be set aside."""
        pattern = fmt.pack_pattern(prefix)
        matches = [match for match in map(pattern.fullmatch, folder_names) if match]
        waiting = {match[0] for match in matches if int(match[1]) in self.damaged}
        return self.packs_in_use() | waiting

    def packs_in_use(self) -> set[str]:
        return {name for manifest in self.manifests.values() for name in manifest.packs}


def scan(folder: str, prefix: str) -> Catalog:
    """Reads every manifest in the folder, and changes nothing.

    Raises:
        FormatError: One of them is of a newer format.
        ForeignFileError: A file under a manifest's name is not rekindle's.
        OSError: The system refused to list or to read.
    """
    return _catalog(folder, prefix, refuses=True)


def look(folder: str, prefix: str) -> Catalog:
    """As :func:`scan`, for who only looks: nothing is refused.

    Foreign files are passed over, and saves in a newer format are told of as damaged ones.

    Raises:
        OSError: The system refused to list or to read.
    """
    return _catalog(folder, prefix, refuses=False)


def _catalog(folder: str, prefix: str, *, refuses: bool) -> Catalog:
    catalog = Catalog()
    names = fs.names_in(folder)
    for number in numbers_in(names, prefix):
        try:
            catalog.manifests[number] = read_manifest(folder, prefix, number)
        except FileNotFoundError:
            continue
        except FormatError as error:
            if refuses:
                raise
            catalog.damaged[number] = str(error)
        except Damage as damage:
            if not is_foreign(folder, prefix, number, names):
                catalog.damaged[number] = str(damage)
            elif refuses:
                raise _in_the_way(os.path.join(folder, fmt.manifest_name(prefix, number))) from None
    return catalog


def numbers_in(names: list[str], prefix: str) -> list[int]:
    """The numbers for which there is a manifest's name, in the order of `names`."""
    pattern = fmt.manifest_pattern(prefix)
    return [int(match[1]) for match in map(pattern.fullmatch, names) if match]


def read_manifest(folder: str, prefix: str, number: int) -> Manifest:
    """The manifest of one save.

    Raises:
        Damage: What stands under its name is not what was written.
        FormatError: It is of a newer format.
        OSError: It is not there, or the system refused to read.
    """
    path = os.path.join(folder, fmt.manifest_name(prefix, number))
    try:
        data = fs.read_file(path, fmt.MAX_MANIFEST_BYTES)
    except fs.NotRegularError:
        raise Damage("the manifest is not a regular file") from None
    except fs.TooLargeError as error:
        raise Damage(f"the manifest is {error.strerror}") from None
    return decode(data, prefix=prefix, number=number, path=path)


def is_foreign(folder: str, prefix: str, number: int, names: list[str]) -> bool:
    """Whether nothing shows that what has a manifest's name, and is not whole, once was one.

    Damage can take every byte of it, so a pack of the same save, or the mention in our state file,
    speaks for it too. With no such sign, it may be anybody's file, and is not ours to touch.
    """
    with contextlib.suppress(FileNotFoundError, fs.NotRegularError, fs.TooLargeError):
        path = os.path.join(folder, fmt.manifest_name(prefix, number))
        if _looks_like_manifest(fs.read_file(path, fmt.MAX_MANIFEST_BYTES)):
            return False
    pattern = fmt.pack_pattern(prefix)
    for name in names:
        match = pattern.fullmatch(name)
        if match and int(match[1]) == number and pack.is_ours(os.path.join(folder, name)):
            return False
    return number not in listed(folder, prefix)


def _in_the_way(path: str) -> ForeignFileError:
    return ForeignFileError(
        f"{path!r} stands where rekindle would write, and rekindle did not write it. Nothing was"
        " touched. Move that file away, or choose another folder for the backup.",
        path=path,
    )


def _looks_like_manifest(data: bytes) -> bool:
    if data.startswith(fmt.MANIFEST_MAGIC):
        return True
    if fmt.DIGEST_LINE.fullmatch(data[-fmt.DIGEST_LINE_LENGTH :]) is None:
        return False
    # A flipped bit in the first line leaves everything after it; a whole document of somebody
    # else's that ends in such a line is no manifest of ours.
    try:
        document = json.loads(data)
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
        data = fs.read_file(os.path.join(folder, fmt.STATE), fmt.MAX_STATE_BYTES)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    # It is not synced: a power cut may leave it empty, zeroed or cut off anywhere.
    return data.startswith(fmt.STATE_MAGIC) or fmt.STATE_MAGIC.startswith(data.rstrip(b"\0"))


def listed(folder: str, prefix: str) -> set[int]:
    """The numbers that our own state file names; none when it is absent or not ours."""
    try:
        data = fs.read_file(os.path.join(folder, fmt.STATE), fmt.MAX_STATE_BYTES)
    except OSError:
        return set()
    if not data.startswith(fmt.STATE_MAGIC):
        return set()
    pattern = fmt.state_pattern(prefix)
    return {int(number) for number in pattern.findall(data)}
