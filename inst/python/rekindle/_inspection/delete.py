"""Removes a whole backup on request: rekindle's own files, and nothing else."""

from __future__ import annotations

import os
import warnings

from rekindle._base.version import __version__
from rekindle._format import layout
from rekindle._inspection import lookup
from rekindle._inspection.results import Deletion
from rekindle._repository import index, inventory, reader
from rekindle._repository.repository import Repository
from rekindle._saving import open_runs
from rekindle.errors import RestoreError, SaveWarning


def delete(directory: str) -> Deletion:
    if not os.path.isdir(directory):
        return Deletion([], [], False)
    prefixes = list(reader.catalogs(directory))
    with lookup.refusals(directory):
        before = inventory.survey(directory, reader.catalogs(directory))
        # If the folder must be refused, this raises before the first file is removed.
        for prefix in prefixes:
            index.scan(directory, prefix)
    if not before.ours and not before.leftovers:
        return Deletion([], [*before.set_aside, *before.foreign], False)
    # An interrupted fit() of this process holds its folder until another caller needs the folder.
    open_runs.let_go(directory)
    refused = _clear(directory, prefixes)
    left = _names(directory)
    removed = [name for name in (*before.ours, *before.leftovers) if name not in left]
    kept = [name for name in (*before.ours, *before.leftovers) if name in left]
    if refused:
        raise RestoreError(
            f"Some files in {directory!r} could not be removed: {refused} Still there:"
            f" {', '.join(kept) or 'the folder'}.",
            directory=directory,
            errno=None,
        )
    return Deletion(removed, sorted(left), not os.path.isdir(directory))


def _clear(directory: str, prefixes: list[str]) -> str | None:
    """Clears each prefix. Returns the reports of files that the system refused to remove."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SaveWarning)
        # Even without a checkpoint, remove the files that a crash left.
        for prefix in prefixes or [layout.PREFIX]:
            folder = Repository(directory, __version__, prefix=prefix)
            try:
                folder.open()
                folder.clear()
            finally:
                folder.close()
    texts = [str(one.message) for one in caught if issubclass(one.category, SaveWarning)]
    return " ".join(texts) or None


def _names(directory: str) -> set[str]:
    try:
        return set(os.listdir(directory))
    except OSError:
        return set()
