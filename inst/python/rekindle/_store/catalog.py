"""Which saves a folder holds, told from their names and their manifests' own bytes."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass, field

from rekindle._store import format as fmt
from rekindle._store import fs, pack
from rekindle._store.decode import decode
from rekindle._store.manifest import Damage, Manifest
from rekindle.errors import ForeignFileError


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
    catalog = Catalog()
    pattern = fmt.manifest_pattern(prefix)
    names = fs.names_in(folder)
    for name in names:
        match = pattern.fullmatch(name)
        if match is None:
            continue
        number = int(match[1])
        path = os.path.join(folder, name)
        try:
            data = fs.read_file(path, fmt.MAX_MANIFEST_BYTES)
            catalog.manifests[number] = decode(data, prefix=prefix, number=number, path=path)
        except FileNotFoundError:
            continue
        except fs.NotRegularError:
            _refuse_foreign(folder, prefix, number, names, None)
            catalog.damaged[number] = "the manifest is not a regular file"
        except fs.TooLargeError as error:
            _refuse_foreign(folder, prefix, number, names, None)
            catalog.damaged[number] = f"the manifest is {error.strerror}"
        except Damage as damage:
            _refuse_foreign(folder, prefix, number, names, data)
            catalog.damaged[number] = str(damage)
    return catalog


def _refuse_foreign(
    folder: str, prefix: str, number: int, names: list[str], data: bytes | None
) -> None:
    """Raises unless something shows that what has a manifest's name once was one.

    Damage can take every byte of it, so a pack of the same save, or the mention in our state file,
    speaks for it too. With no such sign, it may be anybody's file, and is not ours to touch.
    """
    if data is not None and _looks_like_manifest(data):
        return
    pattern = fmt.pack_pattern(prefix)
    for name in names:
        match = pattern.fullmatch(name)
        if match and int(match[1]) == number and pack.is_ours(os.path.join(folder, name)):
            return
    if number in listed(folder, prefix):
        return
    path = os.path.join(folder, fmt.manifest_name(prefix, number))
    raise ForeignFileError(
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


def state_text(manifests: list[Manifest], prefix: str) -> bytes:
    """The file `checkpoint`: the saves in the order of saving, in TensorFlow's own words for it."""
    lines = ["# rekindle writes this file anew at each save and does not depend on it."]
    if manifests:
        lines.append(f'model_checkpoint_path: "{prefix}-{manifests[-1].number}"')
    lines += [f'all_model_checkpoint_paths: "{prefix}-{manifest.number}"' for manifest in manifests]
    lines += [f"all_model_checkpoint_timestamps: {manifest.time!r}" for manifest in manifests]
    return ("\n".join(lines) + "\n").encode("ascii")


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
