"""Finds the storage that the user's `backup_dir` or `directory` names."""

from __future__ import annotations

from rekindle._storage.local.storage import LocalStorage
from rekindle._storage.protocol import Storage


def resolve(url: str, *, past_cache: bool = False) -> Storage:
    """The storage at this place. Makes nothing, and takes no lock.

    Args:
        url: An absolute path; see :func:`rekindle._base.checks.path`, which refuses other places.
        past_cache: Whether large packs are written past the system's cache, which is best beside a
            training. A caller that waits for the save gets it sooner through the cache.
    """
    return LocalStorage(url, past_cache=past_cache)
