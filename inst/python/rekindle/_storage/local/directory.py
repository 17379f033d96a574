"""Makes the folder itself: durably, and only in a safe place."""

from __future__ import annotations

import contextlib
import errno
import os

from rekindle._storage.local import fs, ownership


def make_folder(path: str) -> bool:
    """Makes the folder and its missing parents, durably; returns whether it made the folder.

    The folder's permissions follow the umask. In a folder that everybody may write to (a shared
    ``/tmp``), only the owner gets access.
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
        # Another process made this name since the check, and it may be a link, too.
        ownership.refuse_planted_links(path)
        if not os.path.isdir(path):
            # The text names the path: it may be a parent of the folder that the user gave.
            raise NotADirectoryError(errno.ENOTDIR, f"{path!r} is not a folder") from None
        return False
    # Without this sync, a power cut could lose the folder with every checkpoint in it. A parent
    # that we may write to but not read cannot be synced.
    with contextlib.suppress(PermissionError):
        fs.sync_folder(parent)
    return True
