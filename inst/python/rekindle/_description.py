"""A folder's saves, described: what :func:`rekindle.inspection.info` gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from rekindle import _look
from rekindle._facts import Check, FolderInfo, SaveInfo
from rekindle._store import Manifest, survey, use
from rekindle._store import format as fmt
from rekindle._store.catalog import Catalog

_Told = TypeVar("_Told", SaveInfo, Check)

# What Keras' own callback leaves in a folder.
_KERAS_FILES = ("latest.weights.h5", "training_metadata.json")


def describe(path: str, catalogs: Mapping[str, Catalog]) -> FolderInfo:
    with _look.refusals(path):
        found = survey.survey(path, catalogs)
        used = use.look(path)
        saves = [
            _described(path, found, prefix, manifest)
            for prefix, manifest in _look.oldest_first(catalogs)
        ]
    damaged = [
        SaveInfo(f"{prefix}-{number}", number, damage, size=_sizes(found, prefix, number))
        for prefix, catalog in catalogs.items()
        for number, damage in sorted(catalog.damaged.items())
    ]
    saves = placed(saves, damaged)
    return FolderInfo(
        directory=path,
        state=_state(saves, bool(found.foreign)),
        held=used.held,
        holder=used.holder,
        is_here=used.is_here,
        saves=saves,
        size=found.size,
        set_aside=found.set_aside,
        foreign=list(found.foreign),
        of_keras=all(name in found.foreign for name in _KERAS_FILES),
    )


def _described(path: str, found: survey.Survey, prefix: str, manifest: Manifest) -> SaveInfo:
    damage = survey.damage_at_a_glance(path, manifest)
    return SaveInfo(
        name=f"{prefix}-{manifest.number}",
        number=manifest.number,
        damage=damage,
        time=manifest.time,
        epoch=manifest.position.epoch,
        batch=manifest.position.batch,
        step=manifest.position.step,
        version=manifest.version,
        size=_sizes(found, prefix, manifest.number),
        shared=survey.shared_bytes(prefix, manifest),
        metrics=_look.metrics(path, manifest),
        schedule=_schedule(manifest),
    )


def _schedule(manifest: Manifest) -> dict[str, Any]:
    """What a clocked `save_freq` had chosen, as far as it makes sense."""
    row = manifest.state.get("schedule")
    items = row.items() if isinstance(row, dict) else ()
    return {k: v for k, v in items if v is None or isinstance(v, str | int | float)}


def placed(saves: list[_Told], damaged: list[_Told]) -> list[_Told]:
    """All saves, oldest first: one whose manifest cannot be read stands where its number would."""
    placed = list(saves)
    for one in damaged:
        prefix = one.name.rpartition("-")[0]
        later = [
            index
            for index, other in enumerate(placed)
            if other.name.rpartition("-")[0] == prefix and other.number > one.number
        ]
        placed.insert(later[0] if later else len(placed), one)
    return placed


def _sizes(found: survey.Survey, prefix: str, number: int) -> int:
    manifest, pattern = fmt.manifest_name(prefix, number), fmt.pack_pattern(prefix)
    total = 0
    for name, size in found.ours.items():
        match = pattern.fullmatch(name)
        if name == manifest or (match and int(match[1]) == number):
            total += size
    return total


def _state(saves: list[SaveInfo], anything_else: bool) -> str:
    if not saves:
        return "foreign" if anything_else else "empty"
    whole = sum(save.damage is None for save in saves)
    return "whole" if whole == len(saves) else "damaged" if whole else "lost"
