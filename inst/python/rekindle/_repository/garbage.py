"""Removes unneeded files and quarantines damaged files; never touches foreign files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection

from rekindle._format import layout
from rekindle._format.manifest import Manifest
from rekindle._repository import index, pack
from rekindle._storage.local import fs
from rekindle._storage.local.pack_file import PackFile


class GarbageCollector:
    """Removes files of one folder, in an order that keeps readers safe after a power cut.

    Args:
        folder: The folder.
        prefix: First part of the checkpoints' names.
        pack_file: Writes the packs of the folder, and owns the recycled file.

    Attributes:
        removals_are_durable: Whether every removed manifest is gone for good.
    """

    def __init__(self, folder: str, prefix: str, pack_file: PackFile) -> None:
        self._folder = folder
        self._prefix = prefix
        # The removals of an earlier run may not be durable.
        self.removals_are_durable = False
        self._pack_file = pack_file

    def remove_manifests(self, catalog: index.Index, numbers: list[int]) -> None:
        for number in numbers:
            fs.remove(self._path(layout.manifest_name(self._prefix, number)))
            self.removals_are_durable = False
            del catalog.manifests[number]

    def sync(self) -> None:
        fs.sync_folder(self._folder)
        self.removals_are_durable = True

    def sweep(self, catalog: index.Index, *, to_the_last: bool = False) -> None:
        """Removes temporary files, and packs of ours that no manifest names.

        One of these packs may become the recycled file, which stays until a new pack overwrites it.
        With `to_the_last`, this method removes all of them, and the recycled file.
        """
        if to_the_last:
            self._pack_file.spare.discard()
        names = fs.names_in(self._folder)
        for name in names:
            final = layout.final_name(name)
            is_ours = final is not None and layout.is_own_name(final, self._prefix)
            if is_ours and name != self._pack_file.spare.name:
                fs.remove(self._path(name))
        lost = self._lost_packs(catalog, index.Listing.of(names))
        # Without this sync, a power cut could bring back a manifest without its pack.
        if lost and not self.removals_are_durable:
            self.sync()
        for name in lost:
            if to_the_last or not self._pack_file.keep(name):
                fs.remove(self._path(name))

    def _lost_packs(self, catalog: index.Index, names: index.Listing) -> list[str]:
        protected = catalog.protected_packs(names, self._prefix)
        return [
            name
            for (prefix, _), packs in names.packs.items()
            for name in packs
            if prefix == self._prefix and name not in protected and pack.is_ours(self._path(name))
        ]

    def write_state(self, manifests: list[Manifest], preserved: float | None) -> None:
        """Rewrites the file `checkpoint` with these checkpoints, unless the file is foreign."""
        if not index.state_is_ours(self._folder):
            return
        temporary = self._path(layout.temporary_name(layout.STATE))
        fs.remove(temporary)
        # Not synced: the manifests hold the same facts, and count if this file is wrong.
        text = index.state_text(manifests, self._prefix, preserved)
        fs.write_new(temporary, text, durable=False)
        try:
            fs.rename(temporary, self._path(layout.STATE))
        except BaseException:
            fs.discard(temporary)
            raise

    def remove_state(self) -> None:
        if index.state_is_ours(self._folder):
            fs.remove(self._path(layout.STATE))

    def quarantine(
        self, catalog: index.Index, numbers: Collection[int]
    ) -> dict[int, str | OSError]:
        """Quarantines damaged checkpoints: renames their manifests and packs.

        The renames are not synced. If a power cut undoes them, rekindle finds the damage again.

        Returns:
            By number, the manifest's new name, or the error that prevented the rename.
        """
        done: dict[int, str | OSError] = {}
        try:
            names = index.Listing.of(fs.names_in(self._folder))
        except OSError as error:
            return dict.fromkeys(numbers, error)
        in_use = catalog.packs_in_use()
        for number in numbers:
            packs = names.packs.get((self._prefix, number), [])
            try:
                done[number] = self._rename_aside(layout.manifest_name(self._prefix, number))
                for name in packs:
                    if name not in in_use:
                        self._rename_aside(name)
            except OSError as error:
                done[number] = error
        return done

    def _rename_aside(self, name: str) -> str:
        target, again = name + layout.DAMAGED_SUFFIX, 1
        while fs.exists(self._path(target)):
            again += 1
            target = f"{name}{layout.DAMAGED_SUFFIX}-{again}"
        with contextlib.suppress(FileNotFoundError):
            fs.rename(self._path(name), self._path(target))
        return target

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)
