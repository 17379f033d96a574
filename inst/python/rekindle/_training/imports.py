"""Backups of a library's own callback in an object store, from which rekindle does not resume."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Collection

from rekindle._storage.protocol import Storage
from rekindle.errors import TakeoverWarning


def warn_of_remote(storage: Storage, names: Collection[str]) -> None:
    """Warns that a fit() starts afresh beside such a backup.

    Args:
        storage: The object store.
        names: The names of the callback's files.
    """
    found: list[str] = []
    with contextlib.suppress(OSError):
        found = sorted(set(names).intersection(storage.names()))
    if found:
        warnings.warn(
            TakeoverWarning(
                f"There is a backup of the library's own callback in {storage.url!r}: {found[0]!r}."
                " rekindle resumes from such a backup only if it is in a folder of this machine, so"
                " training starts afresh. To resume from it, copy its files into a folder, and give"
                " that folder as `backup_dir` until the first checkpoint is there; then copy the"
                " folder back. The files stay as they are.",
                directory=storage.url,
            ),
            stacklevel=2,
        )
