"""Decides which arrays to write, and which arrays to share with the previous checkpoint's packs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rekindle._base.arrays import AnyArray, dtype_name
from rekindle._format.manifest import Array, Manifest
from rekindle._storage.protocol import FileStatus, Storage

# The limit for dead bytes (bytes that no checkpoint needs) in shared packs, as a share of the whole
# state. While rekindle writes a checkpoint that shares nothing, the folder then holds up to 2.2
# times the state for one kept checkpoint. Each further kept checkpoint adds at most one state.
_MOST_DEAD = 0.2

# The limit for shared packs. If a different array changed at each save, every array would keep a
# pack of its own in use.
_MOST_PACKS = 16

# Fewer bytes than this are not worth a file of their own.
_LEAST_SETTLED = 1 << 20


@dataclass(frozen=True)
class Plan:
    """The plan for the arrays of a checkpoint.

    Attributes:
        shared: Arrays that are not written again, and where they lie.
        packs: The packs to write, each as the names of its arrays.
    """

    shared: Mapping[str, Array]
    packs: list[list[str]]


def plan(
    storage: Storage,
    base: Manifest | None,
    arrays: Mapping[str, AnyArray],
    digests: Mapping[str, str],
) -> Plan:
    """Plans to share as many arrays as possible with `base`, a whole checkpoint."""
    same = _unchanged(base, arrays, digests) if base else {}
    kept = _worth_keeping(storage, base, same, arrays) if base else set()
    shared = {name: row for name, row in same.items() if row.pack in kept}
    # Arrays that did not change since the last save may not change until the next save. In one pack
    # with changed arrays, they would lie among dead bytes by then, and be written once more.
    settled = [name for name in same if name not in shared]
    if sum(arrays[name].nbytes for name in settled) < _LEAST_SETTLED:
        settled = []
    apart = set(settled)
    changed = [name for name in arrays if name not in shared and name not in apart]
    return Plan(shared, [names for names in (changed, settled) if names])


def _unchanged(
    base: Manifest, arrays: Mapping[str, AnyArray], digests: Mapping[str, str]
) -> dict[str, Array]:
    return {
        name: row
        for name, row in base.arrays.items()
        if name in arrays
        and row.digest == digests[name]
        and row.dtype == dtype_name(arrays[name].dtype)
        and row.shape == arrays[name].shape
    }


def _worth_keeping(
    storage: Storage, base: Manifest, same: Mapping[str, Array], arrays: Mapping[str, AnyArray]
) -> set[str]:
    """The packs of `base` to keep in use: not too many packs, and not too many dead bytes."""
    live: dict[str, int] = {}
    for row in same.values():
        live[row.pack] = live.get(row.pack, 0) + row.stop - row.start
    sizes = {name: base.packs[name].size - base.packs[name].header for name in live}
    # Drop the pack with the largest dead share first: it frees most for the bytes written again.
    order = sorted(live, key=lambda name: (sizes[name] - live[name]) / (sizes[name] or 1))
    order = [name for name in order if _is_intact(storage, name, base.packs[name].size)]
    most = _MOST_DEAD * sum(array.nbytes for array in arrays.values())
    dead = sum(sizes[name] - live[name] for name in order)
    while order and dead > most:
        last = order.pop()
        dead -= sizes[last] - live[last]
    order.sort(key=lambda name: -live[name])
    return set(order[:_MOST_PACKS])


def _is_intact(storage: Storage, name: str, size: int) -> bool:
    """Whether the pack exists with its size: a user may tidy the folder by hand during a run."""
    try:
        return storage.status(name) == FileStatus(size, is_regular=True)
    except OSError:
        return False
