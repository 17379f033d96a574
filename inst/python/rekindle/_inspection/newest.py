"""The newest checkpoint of a folder, for a caller that asks again and again."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any

from rekindle._codec import tree as _tree
from rekindle._format import layout
from rekindle._format.manifest import Damage, Manifest, Position
from rekindle._inspection import lookup
from rekindle._repository import index
from rekindle._saving.attempts import Attempts
from rekindle._storage.protocol import Storage
from rekindle.errors import RekindleError


@dataclass(frozen=True)
class Saved:
    """What is kept of a manifest, which may be large."""

    prefix: str
    number: int
    serial: int
    time: float
    position: Position
    metrics: dict[str, Any]
    attempts: Attempts

    @staticmethod
    def of(prefix: str, manifest: Manifest) -> Saved:
        # The attempt that is not over may be any: only its number is used.
        attempts = replace(Attempts.of(manifest), rows=Attempts.of(manifest).rows[-1:])
        place, number = manifest.position, manifest.number
        metrics = _metrics(manifest)
        return Saved(prefix, number, manifest.serial, manifest.time, place, metrics, attempts)


class Newest:
    """Reads each manifest once, and no pack.

    Args:
        storage: The folder's storage.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._manifests: dict[tuple[str, bytes], Saved | None] = {}

    def among(self, names: list[str]) -> Saved | None:
        """The newest checkpoint. A manifest is read again only if its digest has changed."""
        known, self._manifests = self._manifests, {}
        for name in names:
            match = layout.ANY_MANIFEST.fullmatch(name)
            if match is None:
                continue
            with contextlib.suppress(OSError):
                length = layout.DIGEST_LINE_LENGTH
                key = name, self._storage.read_part(name, -length, length)
                if key not in known:
                    known[key] = self._read(match["prefix"], int(match[2]))
                self._manifests[key] = known[key]
        newest: dict[str, Saved] = {}
        for one in self._manifests.values():
            if one is not None:
                best = newest.get(one.prefix)
                if best is None or (one.serial, one.number) > (best.serial, best.number):
                    newest[one.prefix] = one
        return max(newest.values(), key=lambda one: one.time, default=None)

    def _read(self, prefix: str, number: int) -> Saved | None:
        try:
            return Saved.of(prefix, index.read_manifest(self._storage, prefix, number))
        except (Damage, RekindleError):
            return None


def _metrics(manifest: Manifest) -> dict[str, Any]:
    """The metrics in the manifest itself. No pack is read for the others."""
    values: dict[str, Any] = {}
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError, RecursionError):
        values = dict(_tree.unflatten(manifest.state["metadata"], {}))
    plain = {str(name): lookup.plain_value(value) for name, value in values.items()}
    return {name: value for name, value in plain.items() if value is not None}
