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
from collections.abc import Mapping
from dataclasses import dataclass

from rekindle._base.arrays import AnyArray, as_bytes, digest, dtype_name
from rekindle._format import layout
from rekindle._format.decode import decode
from rekindle._format.manifest import Array, Damage, Manifest, Pack, encode
from rekindle._format.snapshot import Snapshot
from rekindle._repository import dedup, pack
from rekindle._storage.protocol import Staging, Storage
from rekindle.errors import ArgumentError


@dataclass(frozen=True)
class Identity:
    """The identity of a checkpoint: number, serial (order of saving), run, time, version."""

    number: int
    serial: int
    run: str
    time: float
    version: str


class PackNumbers:
    """The numbers at the end of the names of packs, of one run.

    In an object store, a request may take effect after it has failed. It would put old bytes into a
    later pack of the same name, or remove it. So after a failure no name is given again.

    Attributes:
        first: The lowest number for the next checkpoint.
        unused: A number that no pack of this run has, nor a higher one.
    """

    def __init__(self) -> None:
        self.first = self.unused = 0

    def leave(self, storage: Storage) -> None:
        """Gives no name again that was given until now."""
        if storage.session:
            self.first = self.unused


class Commit:
    """Writes one checkpoint."""

    def __init__(
        self,
        storage: Storage,
        prefix: str,
        identity: Identity,
        snapshot: Snapshot,
        base: Manifest | None,
        numbers: PackNumbers,
    ) -> None:
        """Decides which arrays to write.

        Args:
            storage: The folder's storage.
            prefix: First part of the checkpoint's names.
            identity: The identity.
            snapshot: The state to save.
            base: A whole checkpoint whose arrays this one may share.
            numbers: The numbers of the packs of this run.
        """
        self._storage = storage
        self._prefix = prefix
        self._identity = identity
        self._snapshot = snapshot
        arrays = snapshot.arrays
        _refuse_unknown(arrays)
        made = snapshot.digests
        self._digests = {
            name: made.get(name) or digest(as_bytes(array)) for name, array in arrays.items()
        }
        self._plan = dedup.plan(storage, base, arrays, self._digests)
        self._base_packs = dict(base.packs) if base else {}
        self._written: list[str] = []
        self._staging: Staging | None = None
        self._numbers = numbers

    @property
    def written(self) -> list[str]:
        """The names of the packs that are already written."""
        return list(self._written)

    @property
    def bytes_needed(self) -> int:
        """Bytes of array data that this checkpoint adds to the folder."""
        return sum(self._snapshot.arrays[name].nbytes for pack in self._plan.packs for name in pack)

    def prepare(self) -> Manifest:
        """Does steps 1 to 4. On failure, removes everything that it wrote."""
        self._staging = self._storage.stage(self._manifest_name())
        try:
            prepared = self._prepared()
            self._staging.write(self._encoded(prepared))
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
            path = self._storage.where(self._manifest_name())
            decode(text, prefix=self._prefix, number=manifest.number, path=path)
        except (Damage, ValueError, TypeError, RecursionError) as error:
            raise OSError(errno.EINVAL, f"no reader would accept it ({error})") from None
        return text

    def publish(self) -> None:
        """Does step 5, the commit point. On failure, removes everything that was written."""
        staging = self._staged()
        try:
            staging.publish()
        except BaseException:
            # If the manifest may be there, it needs its packs. rekindle sweeps an unneeded pack
            # after the next save.
            if staging.may_be_published:
                self._written.clear()
            self.abandon()
            raise

    def acknowledge(self) -> None:
        """Does step 6. On failure the checkpoint exists, but a power cut may still undo it."""
        self._staged().acknowledge()

    def abandon(self) -> None:
        """Removes the written files, if the system allows it; a later save sweeps the rest."""
        self._numbers.leave(self._storage)
        self._staged().abandon()
        for name in self._written:
            self._storage.discard(name)

    def _staged(self) -> Staging:
        if self._staging is None:
            raise RuntimeError("prepare() has to be called first")
        return self._staging

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
        metadata = {
            layout.PACK_METADATA_KEY: str(layout.FORMAT),
            "run": self._identity.run,
            "number": str(self._identity.number),
        }
        arrays = {key: self._snapshot.arrays[key] for key in names}
        written, rows = pack.write(self._storage, name, arrays, self._digests, metadata)
        self._written.append(name)
        return name, written, rows

    def _free_pack_name(self) -> str:
        # A name is in use if this checkpoint already has a pack, if its number was saved before, or
        # if a foreign file has the name.
        again = self._numbers.first
        while True:
            name = layout.pack_name(
                self._prefix, self._identity.number, again, self._storage.session
            )
            again += 1
            if self._storage.status(name) is None:
                self._numbers.unused = max(self._numbers.unused, again)
                return name

    def _manifest_name(self) -> str:
        return layout.manifest_name(self._prefix, self._identity.number)


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
