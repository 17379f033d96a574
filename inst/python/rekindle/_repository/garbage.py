"""Removes unneeded files and quarantines damaged files; never touches foreign files."""

from __future__ import annotations

from collections.abc import Collection

from rekindle._format import layout
from rekindle._format.manifest import Manifest
from rekindle._repository import index, pack
from rekindle._storage.protocol import Storage


class GarbageCollector:
    """Removes files of one folder, in an order that keeps readers safe after a power cut.

    Args:
        storage: The folder's storage.
        prefix: First part of the checkpoints' names.

    Attributes:
        removals_are_durable: Whether every removed manifest is gone for good.
    """

    def __init__(self, storage: Storage, prefix: str) -> None:
        self._storage = storage
        self._prefix = prefix
        # The removals of an earlier run may not be durable.
        self.removals_are_durable = False

    def remove_manifests(self, catalog: index.Index, numbers: list[int]) -> None:
        for number in numbers:
            self._storage.remove(layout.manifest_name(self._prefix, number))
            self.removals_are_durable = False
            del catalog.manifests[number]

    def sync(self) -> None:
        self._storage.sync()
        self.removals_are_durable = True

    def sweep(self, catalog: index.Index, *, to_the_last: bool = False) -> None:
        """Removes temporary files, and packs of ours that no manifest names.

        The storage may hold one of these packs back, and use its space for the next pack. With
        `to_the_last`, this method removes all of them.
        """
        names = self._storage.names()
        for name in names:
            final = layout.final_name(name)
            if final is not None and layout.is_own_name(final, self._prefix):
                self._storage.remove(name)
        lost = self._lost_packs(catalog, index.Listing.of(names))
        # Without this sync, a power cut could bring back a manifest without its pack.
        if lost and not self.removals_are_durable:
            self.sync()
        for name in lost:
            if to_the_last:
                self._storage.remove(name)
            else:
                self._storage.retire(name)

    def _lost_packs(self, catalog: index.Index, names: index.Listing) -> list[str]:
        protected = catalog.protected_packs(names, self._prefix)
        session = self._storage.session
        return [
            name
            for (prefix, _), packs in names.packs.items()
            for name in packs
            if prefix == self._prefix
            and name not in protected
            # A later session is another run's, which has the lock by now.
            and not 0 < session < layout.pack_session(name)
            and pack.is_ours(self._storage, name)
        ]

    def write_state(self, manifests: list[Manifest], preserved: float | None) -> None:
        """Rewrites the file `checkpoint` with these checkpoints, unless the file is foreign."""
        if index.state_is_ours(self._storage):
            # A hint: the manifests hold the same facts, and count if this file is wrong.
            text = index.state_text(manifests, self._prefix, preserved)
            self._storage.put_hint(layout.STATE, text)

    def remove_state(self) -> None:
        if index.state_is_ours(self._storage):
            self._storage.remove(layout.STATE)

    def remove_witness(self) -> None:
        """Removes the file `ckpt.witness`, unless the file is foreign."""
        if self._prefix == layout.PREFIX and index.witness_is_ours(self._storage):
            self._storage.remove(layout.WITNESS)

    def quarantine(
        self, catalog: index.Index, numbers: Collection[int]
    ) -> dict[int, str | OSError]:
        """Quarantines damaged checkpoints: their manifests, and packs that no other one needs.

        Returns:
            By number, the manifest's new name, or the error that prevented the rename.
        """
        done: dict[int, str | OSError] = {}
        try:
            names = index.Listing.of(self._storage.names())
        except OSError as error:
            return dict.fromkeys(numbers, error)
        in_use = catalog.packs_in_use()
        for number in numbers:
            packs = names.packs.get((self._prefix, number), [])
            try:
                done[number] = self._storage.quarantine(layout.manifest_name(self._prefix, number))
                for name in packs:
                    if name not in in_use:
                        self._storage.quarantine(name)
            except OSError as error:
                done[number] = error
        return done
