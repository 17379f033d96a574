"""Forged folders with valid digests, because rekindle's own writer wrote them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import rekindle
from rekindle._format.snapshot import Snapshot
from rekindle._repository.repository import Repository
from rekindle._storage.local.storage import LocalStorage


def forge(
    folder: str,
    change: Callable[[Any], object],
    arrays: Mapping[str, Any] | None = None,
) -> None:
    """Adds a checkpoint to the folder: a copy of its newest one with another state.

    Args:
        folder: A backup folder with a checkpoint. No run may hold it.
        change: A function that receives the state as JSON values and changes it in place.
        arrays: More arrays, by name.
    """
    state, found = newest(folder)
    store = Repository(LocalStorage(str(folder)), rekindle.__version__)
    try:
        save = store.newest()
        assert save is not None
        change(state)
        store.commit(Snapshot(found | dict(arrays or {}), state, save.manifest.position))
    finally:
        store.close()


def newest(folder: str) -> tuple[Any, dict[str, Any]]:
    """The state of the newest checkpoint in the folder, as JSON values, and its arrays."""
    store = Repository(LocalStorage(str(folder)), rekindle.__version__)
    try:
        save = store.newest()
        assert save is not None
        state = json.loads(json.dumps(save.manifest.state))
        return state, {name: np.array(array) for name, array in save.arrays.items()}
    finally:
        store.close()
