"""Refuses links that another user may have planted on the way to a folder.

In a folder that others may write to, another user can put a link to any place in place of a backup.
As OpenSSH and Linux do, rekindle refuses such a link. It does not refuse the folder itself: in one
with the sticky bit, others cannot replace this user's backup. In another one, such as the folder of
a project, they can rename it and put a different one in its place. That one must belong to this
user, too, and a run continues in the folder that it has opened: see
:mod:`rekindle._storage.local.guard`.
"""

from __future__ import annotations

import collections
import os
import stat

from rekindle._storage.local import trusted
from rekindle._storage.local.trusted import name_of
from rekindle.errors import ForeignFileError

# The number of links that Linux itself follows.
MOST_LINKS = 40


def refuse_planted_links(path: str) -> None:
    """Refuses a path through a link that another user made in a folder that others may write to.

    Raises:
        ForeignFileError: The path leads through such a link.
    """
    if not hasattr(os, "geteuid"):
        return
    parts, place, followed = collections.deque(path.split(os.sep)), os.sep, 0
    while parts and followed <= MOST_LINKS:
        part = parts.popleft()
        if part in ("", os.curdir):
            continue
        if part == os.pardir:
            place = os.path.dirname(place)
            continue
        here = os.path.join(place, part)
        try:
            status = os.lstat(here)
            target = os.readlink(here) if stat.S_ISLNK(status.st_mode) else None
        except OSError:
            # Nothing exists under this name, so it is not a link.
            return
        if target is None:
            place = here
            continue
        refuse_planted(here, status, os.stat(place))
        followed += 1
        parts.extendleft(reversed(target.split(os.sep)))
        place = os.sep if os.path.isabs(target) else place


def is_shared(folder: os.stat_result) -> bool:
    """Whether all users may make names in the folder, but not remove the names of other users."""
    return bool(folder.st_mode & stat.S_ISVTX and folder.st_mode & stat.S_IWOTH)


def refuse_planted(link: str, status: os.stat_result, parent: os.stat_result) -> None:
    """Refuses a link if another user may have planted it.

    Args:
        link: Its path.
        status: The link's own status.
        parent: The status of the folder that it is in.

    Raises:
        ForeignFileError: Another user, who does not own the folder, made it there.
    """
    if not hasattr(os, "geteuid"):
        return
    # The owner of the folder decides over its names in any case.
    if status.st_uid in {*trusted.users(), parent.st_uid}:
        return
    if not parent.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return
    raise ForeignFileError(
        f"{link!r} is a link that another user, {name_of(status.st_uid)}, made in a folder in"
        " which other users may write. Choose another folder for the backup.",
        path=link,
    )
