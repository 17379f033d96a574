"""Removes a whole backup on request: rekindle's own files, and nothing else."""

from __future__ import annotations

import warnings

from rekindle._base.version import __version__
from rekindle._format import layout
from rekindle._inspection import lookup
from rekindle._inspection.results import Deletion
from rekindle._repository import index, inventory, reader
from rekindle._repository.repository import Repository
from rekindle._saving import open_runs
from rekindle._storage.protocol import Storage
from rekindle.errors import RestoreError, SaveWarning


def delete(storage: Storage) -> Deletion:
    if not reader.exists(storage):
        return Deletion([], [], False)
    prefixes = list(reader.catalogs(storage))
    with lookup.refusals(storage):
        before = inventory.survey(storage, reader.catalogs(storage))
        # If the folder must be refused, this raises before the first file is removed.
        for prefix in prefixes:
            index.scan(storage, prefix)
    if not before.ours and not before.leftovers:
        return Deletion([], [*before.set_aside, *before.foreign], False)
    # An interrupted fit() of this process holds its folder until another caller needs the folder.
    open_runs.let_go(storage.url)
    refused = _clear(storage, prefixes)
    left = _names(storage)
    removed = [name for name in (*before.ours, *before.leftovers) if name not in left]
    kept = [name for name in (*before.ours, *before.leftovers) if name in left]
    if refused:
        raise RestoreError(
            f"Some files in {storage.url!r} could not be removed: {refused} Still there:"
            f" {', '.join(kept) or 'the folder'}.",
            directory=storage.url,
            errno=None,
        )
    return Deletion(removed, sorted(left), not reader.exists(storage))


def _clear(storage: Storage, prefixes: list[str]) -> str | None:
    """Clears each prefix. Returns the reports of files that the system refused to remove."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SaveWarning)
        # Even without a checkpoint, remove the files that a crash left.
        for prefix in prefixes or [layout.PREFIX]:
            folder = Repository(storage, __version__, prefix=prefix)
            try:
                folder.open()
                folder.clear()
            finally:
                folder.close()
    texts = [str(one.message) for one in caught if issubclass(one.category, SaveWarning)]
    return " ".join(texts) or None


def _names(storage: Storage) -> set[str]:
    try:
        return set(storage.names())
    except OSError:
        return set()
