"""Making the folder itself, durably, and where it is safe to."""

from __future__ import annotations

import contextlib
import os
import stat

from rekindle._store import fs
from rekindle.errors import ForeignFileError


def make_folder(path: str) -> bool:
    """Makes the folder and its parents, durably, where they are missing: whether it was made.

    Its permissions follow the umask; in a folder that everybody may write to (a shared ``/tmp``)
    it is made for its owner alone.
    """
    _refuse_planted_link(path)
    if os.path.isdir(path):
        return False
    parent = os.path.dirname(path)
    if parent != path:
        make_folder(parent)
    try:
        fs.retrying(os.mkdir, path, 0o700 if _is_shared(parent) else 0o777)
    except FileExistsError:
        # What came in between may be a link, too.
        _refuse_planted_link(path)
        if not os.path.isdir(path):
            raise
        return False
    # Else a power cut could lose the folder with every save in it. A parent that we may write to
    # and not read cannot be synced.
    with contextlib.suppress(PermissionError):
        fs.sync_folder(parent)
    return True


def _is_shared(path: str) -> bool:
    """Whether everybody may make names in the folder, and nobody may remove those of others."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return bool(mode & stat.S_ISVTX and mode & stat.S_IWOTH)


def _refuse_planted_link(path: str) -> None:
    """In a folder that everybody may write to, a link of somebody else's may lead anywhere."""
    parent = os.path.dirname(path)
    try:
        link = os.lstat(path)
        owners = {os.geteuid(), os.stat(parent).st_uid}
    except (OSError, AttributeError):
        return
    if stat.S_ISLNK(link.st_mode) and link.st_uid not in owners and _is_shared(parent):
        raise ForeignFileError(
            f"{path!r} is a link that another user made in a folder that everybody may write to."
            " Choose another folder for the backup.",
            path=path,
        )
