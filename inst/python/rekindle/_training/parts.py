"""The state of several workers in one checkpoint: joined when it is saved, and taken apart again.

Worker 0's state stands in the checkpoint as that of a single process would. Of each other worker,
the checkpoint has what differs: arrays under ``workers/<number>/``, and the entries of its state.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray, as_bytes
from rekindle._format.snapshot import LoadedCheckpoint, Snapshot
from rekindle.errors import BrokenTreeError

_KEY = "workers"


def encode(snapshot: Snapshot, shared: Collection[str]) -> bytes:
    """The part of a worker, without the arrays that are the same in each worker."""
    own = {name: one for name, one in snapshot.arrays.items() if name not in shared}
    rows = [[name, one.dtype.name, list(one.shape)] for name, one in own.items()]
    head = json.dumps({"state": dict(snapshot.state), "arrays": rows}).encode()
    return b"".join([len(head).to_bytes(8, "little"), head, *map(as_bytes, own.values())])


def _decode(data: bytes) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    start = 8 + int.from_bytes(data[:8], "little")
    head = json.loads(data[8:start])
    arrays: dict[str, AnyArray] = {}
    for name, dtype, shape in head["arrays"]:
        kind = np.dtype(dtype)
        count = int(np.prod(shape))
        arrays[name] = np.frombuffer(data, kind, count, start).reshape(shape)
        start += count * kind.itemsize
    return head["state"], arrays


def join(first: Snapshot, others: list[bytes]) -> Snapshot:
    """One snapshot of worker 0's and of the other workers' parts, in their order."""
    arrays = dict(first.arrays)
    states = []
    for index, data in enumerate(others, start=1):
        state, own = _decode(data)
        changed = {key: value for key, value in state.items() if first.state.get(key) != value}
        names = [name for name, one in own.items() if not _is_same(arrays.get(name), one)]
        arrays |= {f"{_KEY}/{index}/{name}": own[name] for name in names}
        states.append({"state": changed, "lacks": sorted(first.state.keys() - state.keys())})
    return Snapshot(arrays, {**first.state, _KEY: states}, first.position)


def _is_same(first: AnyArray | None, other: AnyArray) -> bool:
    return (
        first is not None
        and first.dtype == other.dtype
        and first.shape == other.shape
        and as_bytes(first) == as_bytes(other)
    )


def of_worker(save: LoadedCheckpoint, index: int) -> LoadedCheckpoint:
    """The checkpoint as this worker sees it. A worker that it does not know has worker 0's state.

    Raises:
        BrokenTreeError: The entry of the workers is not one that :func:`join` makes.
    """
    state = dict(save.manifest.state)
    states = state.pop(_KEY, [])
    prefix = f"{_KEY}/"
    arrays = {name: one for name, one in save.arrays.items() if not name.startswith(prefix)}
    if not isinstance(states, list) or not all(_is_part(one) for one in states):
        raise BrokenTreeError("the state of the workers is not a list of their parts")
    if 0 < index <= len(states):
        part: Mapping[str, Any] = states[index - 1]
        state = {key: one for key, one in state.items() if key not in part["lacks"]}
        state |= part["state"]
        prefix += f"{index}/"
        own = [name for name in save.arrays if name.startswith(prefix)]
        arrays |= {name.removeprefix(prefix): save.arrays[name] for name in own}
    return LoadedCheckpoint(dataclasses.replace(save.manifest, state=state), arrays)


def _is_part(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("state"), dict)
        and isinstance(value.get("lacks"), list)
    )
