"""Describes the checkpoints of a folder for :func:`rekindle.inspection.info`."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from typing import Any, TypeVar

from rekindle._format import layout
from rekindle._format.manifest import Manifest, Pack
from rekindle._inspection import lookup, tf_files
from rekindle._inspection.results import Check, FolderInfo, SaveInfo
from rekindle._repository import inventory
from rekindle._repository.index import Index
from rekindle._storage.protocol import Storage

_Told = TypeVar("_Told", SaveInfo, Check)

# The files that the callback of Keras 3 itself leaves in a folder.
_KERAS_FILES = ("latest.weights.h5", "training_metadata.json")


def describe(storage: Storage, catalogs: Mapping[str, Index]) -> FolderInfo:
    with lookup.refusals(storage):
        found = inventory.survey(storage, catalogs)
        used = storage.probe()
        sizes = _sizes(found)
        seen: set[tuple[str, Pack]] = set()
        saves = [
            _described(storage, sizes, seen, prefix, manifest)
            for prefix, manifest in lookup.oldest_first(catalogs)
        ]
    damaged = [
        SaveInfo(f"{prefix}-{number}", number, damage, size=sizes.get((prefix, number), 0))
        for prefix, catalog in catalogs.items()
        for number, damage in sorted(catalog.damaged.items())
    ]
    saves = placed(saves, damaged)
    return FolderInfo(
        directory=storage.url,
        state=_state(saves, bool(found.foreign)),
        held=used.held,
        holder=used.holder,
        is_here=used.is_here,
        saves=saves,
        size=found.size,
        set_aside=found.set_aside,
        foreign=found.foreign,
        of_keras=all(name in found.foreign for name in _KERAS_FILES),
        of_keras_2=bool(tf_files.of_keras_2(storage.url)),
    )


def _described(
    storage: Storage,
    sizes: Mapping[tuple[str, int], int],
    seen: set[tuple[str, Pack]],
    prefix: str,
    manifest: Manifest,
) -> SaveInfo:
    damage = inventory.damage_at_a_glance(storage, manifest, seen)
    return SaveInfo(
        name=f"{prefix}-{manifest.number}",
        number=manifest.number,
        damage=damage,
        time=manifest.time,
        epoch=manifest.position.epoch,
        batch=manifest.position.batch,
        step=manifest.position.step,
        version=manifest.version,
        size=sizes.get((prefix, manifest.number), 0),
        shared=inventory.shared_bytes(prefix, manifest),
        metrics=lookup.metrics(storage, manifest),
        schedule=_plain_row(manifest, "schedule"),
        evidence=_plain_row(manifest, "evidence"),
    )


def _plain_row(manifest: Manifest, name: str) -> dict[str, Any]:
    """This part of the state, if it is a table of plain values; else what of it is."""
    row = manifest.state.get(name)
    items = row.items() if isinstance(row, dict) else ()
    return {k: v for k, v in items if v is None or isinstance(v, str | int | float)}


def placed(saves: list[_Told], damaged: list[_Told]) -> list[_Told]:
    """All checkpoints, oldest first. If a manifest is unreadable, the number decides the place."""
    # For each prefix: the checkpoints with a higher number than all before, and their places.
    highest: dict[str, tuple[list[int], list[int]]] = {}
    for index, one in enumerate(saves):
        numbers, places = highest.setdefault(_prefix(one), ([], []))
        if not numbers or one.number > numbers[-1]:
            numbers.append(one.number)
            places.append(index)
    before: dict[int, list[_Told]] = {}
    for one in damaged:
        numbers, places = highest.get(_prefix(one), ([], []))
        next_one = bisect.bisect(numbers, one.number)
        later = places[next_one] if next_one < len(places) else len(saves)
        before.setdefault(later, []).append(one)
    found: list[_Told] = []
    for place in range(len(saves) + 1):
        found += before.get(place, [])
        found += saves[place : place + 1]
    return found


def _prefix(one: SaveInfo | Check) -> str:
    return one.name.rpartition("-")[0]


def _sizes(found: inventory.Inventory) -> dict[tuple[str, int], int]:
    """Bytes of the files of each checkpoint, by prefix and number."""
    sizes: dict[tuple[str, int], int] = {}
    for name, size in found.ours.items():
        match = layout.of_checkpoint(name)
        if match:
            key = match["prefix"], int(match[2])
            sizes[key] = sizes.get(key, 0) + size
    return sizes


def _state(saves: list[SaveInfo], anything_else: bool) -> str:
    if not saves:
        return "foreign" if anything_else else "empty"
    whole = sum(save.damage is None for save in saves)
    return "whole" if whole == len(saves) else "damaged" if whole else "lost"
