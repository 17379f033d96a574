"""Commits a checkpoint: after a crash at any instant, the new or the previous checkpoint is whole.

The steps, and the state of the folder if the machine stops right after each step:

1. Write a pack under a temporary name, sometimes over the recycled file, and sync it. The folder
   has a leftover, which rekindle sweeps after the next save.
2. Rename the pack to its own name. The folder has a pack that no manifest names, which rekindle
   sweeps likewise. Sometimes there is a second pack to write, in the same two steps.
3. Write the manifest under a temporary name and sync it. The folder has the same pack, and a second
   leftover.
4. Sync the folder. The folder has the same files, now also after a power cut.
5. Rename the manifest to its own name. The folder has the new checkpoint, or after a power cut the
   previous checkpoint.
6. Sync the folder. The folder has the new checkpoint for good. rekindle acknowledges the save.

Without step 4, a power cut could keep the rename of the manifest and lose the rename of a pack.
Nothing older may be removed before step 6 is complete.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass

from rekindle._base.arrays import AnyArray, as_bytes, digest, dtype_name
from rekindle._format import layout
from rekindle._format.decode import decode
from rekindle._format.manifest import Array, Damage, Manifest, Pack, encode
from rekindle._format.snapshot import Snapshot
from rekindle._repository import dedup, pack
from rekindle._storage.local import fs
from rekindle._storage.local.pack_file import PackFile
from rekindle.errors import ArgumentError


@dataclass(frozen=True)
class Identity:
    """The identity of a checkpoint: number, serial (order of saving), run, time, version."""

    number: int
    serial: int
    run: str
    time: float
    version: str


class Commit:
    """Writes one checkpoint to the disk."""

    def __init__(
        self,
        folder: str,
        prefix: str,
        identity: Identity,
        snapshot: Snapshot,
        base: Manifest | None,
        pack_file: PackFile,
    ) -> None:
        """Decides which arrays to write; `base` is a whole checkpoint whose arrays it may share."""
        self._pack_file = pack_file
        self._folder = folder
        self._prefix = prefix
        self._identity = identity
        self._snapshot = snapshot
        arrays = snapshot.arrays
        _refuse_unknown(arrays)
        made = snapshot.digests
        self._digests = {
            name: made.get(name) or digest(as_bytes(array)) for name, array in arrays.items()
        }
        self._plan = dedup.plan(folder, base, arrays, self._digests)
        self._base_packs = dict(base.packs) if base else {}
        self._written: list[str] = []

    @property
    def written(self) -> list[str]:
        """The paths of the packs that are already written."""
        return list(self._written)

    @property
    def bytes_needed(self) -> int:
        """Bytes of array data that this checkpoint adds to the folder."""
        return sum(self._snapshot.arrays[name].nbytes for pack in self._plan.packs for name in pack)

    def prepare(self) -> Manifest:
        """Does steps 1 to 4. On failure, removes everything that it wrote."""
        manifest = self._manifest_path()
        temporary = self._temporary(manifest)
        # A crash may have left files under these names. We hold the lock, so no run is writing
        # them.
        fs.remove(temporary)
        try:
            prepared = self._prepared()
            text = self._encoded(prepared)
            fs.write_new(temporary, text)
            fs.sync_folder(self._folder)
        except BaseException:
            self.abandon()
            raise
        return prepared

    def _encoded(self, manifest: Manifest) -> bytes:
        """The bytes of the manifest's file. Refuses a manifest that no reader would accept."""
        try:
            text = encode(manifest)
            if len(text) > layout.MAX_MANIFEST_BYTES:
                raise OSError(
                    errno.EFBIG,
                    f"its manifest has {len(text)} bytes with {len(manifest.arrays)} arrays, and"
                    f" readers accept at most {layout.MAX_MANIFEST_BYTES} bytes. Save fewer and"
                    " larger arrays, and arrays in place of long lists",
                )
            path, number = self._manifest_path(), manifest.number
            decode(text, prefix=self._prefix, number=number, path=path)
        except (Damage, ValueError, TypeError, RecursionError) as error:
            raise OSError(errno.EINVAL, f"no reader would accept it ({error})") from None
        return text

    def publish(self) -> None:
        """Does step 5, the commit point. On failure, removes everything that was written."""
        manifest = self._manifest_path()
        temporary = self._temporary(manifest)
        try:
            fs.rename(temporary, manifest)
        except BaseException:
            # A network file system may have renamed the manifest and lost the reply. Then the
            # manifest needs its packs. rekindle sweeps an unneeded pack after the next save.
            if _is_gone(temporary):
                self._written.clear()
            self.abandon()
            raise

    def acknowledge(self) -> None:
        """Does step 6. On failure the checkpoint exists, but a power cut may still undo it."""
        fs.sync_folder(self._folder)

    def abandon(self) -> None:
        """Removes the written files, if the system allows it; a later save sweeps the rest."""
        fs.discard(self._temporary(self._manifest_path()))
        for path in self._written:
            fs.discard(path)

    def _prepared(self) -> Manifest:
        shared = self._plan.shared
        rows = dict(shared)
        packs = {row.pack: self._base_packs[row.pack] for row in shared.values()}
        for names in self._plan.packs:
            name, written, new_rows = self._write_pack(names)
            packs[name] = written
            rows |= new_rows
        identity = self._identity
        return Manifest(
            number=identity.number,
            serial=identity.serial,
            run=identity.run,
            time=identity.time,
            version=identity.version,
            position=self._snapshot.position,
            arrays={name: rows[name] for name in self._snapshot.arrays},
            packs=packs,
            state=self._snapshot.state,
        )

    def _write_pack(self, names: list[str]) -> tuple[str, Pack, dict[str, Array]]:
        """Does steps 1 and 2 for the pack of these arrays."""
        name = self._free_pack_name()
        path = os.path.join(self._folder, name)
        temporary = self._temporary(path)
        fs.remove(temporary)
        metadata = {
            layout.PACK_METADATA_KEY: str(layout.FORMAT),
            "run": self._identity.run,
            "number": str(self._identity.number),
        }
        arrays = {key: self._snapshot.arrays[key] for key in names}
        written, rows = pack.write(
            temporary, name, arrays, self._digests, metadata, self._pack_file
        )
        try:
            fs.rename(temporary, path)
        except BaseException:
            fs.discard(temporary)
            raise
        self._written.append(path)
        return name, written, rows

    def _free_pack_name(self) -> str:
        # A name is in use if this checkpoint already has a pack, if its number was saved before, or
        # if a foreign file has the name.
        again = 0
        while True:
            name = layout.pack_name(self._prefix, self._identity.number, again)
            if not fs.exists(os.path.join(self._folder, name)):
                return name
            again += 1

    def _manifest_path(self) -> str:
        return os.path.join(self._folder, layout.manifest_name(self._prefix, self._identity.number))

    def _temporary(self, path: str) -> str:
        return os.path.join(self._folder, layout.temporary_name(os.path.basename(path)))


def _refuse_unknown(arrays: Mapping[str, AnyArray]) -> None:
    for name, array in arrays.items():
        if array.ndim > layout.MAX_AXES:
            raise ArgumentError(
                f"The array {name!r} has {array.ndim} axes and cannot be saved: at most"
                f" {layout.MAX_AXES} can.",
                argument="arrays",
                value=name,
            )
        if dtype_name(array.dtype) not in layout.DTYPES or name == layout.PACK_METADATA:
            raise ArgumentError(
                f"The array {name!r} of dtype {array.dtype} cannot be saved.",
                argument="arrays",
                value=name,
            )


def _is_gone(path: str) -> bool:
    try:
        return not fs.exists(path)
    except OSError:
        return False
