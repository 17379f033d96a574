"""Finds the storage that the user's `backup_dir` or `directory` names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rekindle._base import places
from rekindle._storage.local.storage import LocalStorage
from rekindle._storage.protocol import Storage


def resolve(
    place: str, *, past_cache: bool = False, options: Mapping[str, Any] | None = None
) -> Storage:
    """The storage at this place. Makes nothing, and takes no lock.

    Args:
        place: See :mod:`rekindle._base.places`; :func:`rekindle._base.checks.place` refuses others.
        past_cache: Whether large packs are written past the system's cache, which is best beside a
            training. A caller that waits for the save gets it sooner through the cache.
        options: The user's `storage_options`, checked, for an object store. With a `local_cache`,
            that folder is in front of it.

    Raises:
        DependencyError: The place is in an object store, and the library for it is not installed.
        ArgumentError: The library does not accept the options.
    """
    remote = places.remote(place)
    if remote is None:
        return LocalStorage(place, past_cache=past_cache)
    # Only here: a folder needs no library for object stores.
    from rekindle._storage.remote.storage import RemoteStorage

    given = dict(options or {})
    cache = given.pop("local_cache", None)
    store = RemoteStorage(remote, given)
    if cache is None:
        return store
    from rekindle._storage.cached.storage import CachedStorage

    return CachedStorage(LocalStorage(cache, past_cache=past_cache), store)
