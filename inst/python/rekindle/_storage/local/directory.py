"""Making the folder itself, durably, and where it is safe to."""

from __future__ import annotations

import contextlib
import os

from rekindle._storage.local import fs, ownership


def make_folder(path: str) -> bool:
    """Makes the folder and its parents, durably, where they are missing: whether it was made.

    Its permissions follow the umask; in a folder that everybody may write to (a shared ``/tmp``)
    it is made for its owner alone.
    """
    ownership.refuse_planted_links(path)
    if os.path.isdir(path):
        return False
    parent = os.path.dirname(path)
    if parent != path:
        make_folder(parent)
    try:
        fs.retrying(os.mkdir, path, 0o700 if ownership.is_shared(parent) else 0o777)
    except FileExistsError:
        # What came in between may be a link, too.
        ownership.refuse_planted_links(path)
        if not os.path.isdir(path):
            raise
        return False
    # Else a power cut could lose the folder with every save in it. A parent that we may write to
    # and not read cannot be synced.
    with contextlib.suppress(PermissionError):
        fs.sync_folder(parent)
    return True
