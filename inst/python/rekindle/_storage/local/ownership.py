"""Checks who owns a folder: rekindle resumes only from files of this user or of root.

A digest shows that the bytes are those that were written, not that the writer was honest. In a
folder that everybody may write to, another user can plant a folder, a link or a checkpoint.
"""

from __future__ import annotations

import collections
import functools
import os
import stat
import tempfile
from collections.abc import Callable, Collection

from rekindle._format import layout
from rekindle._storage import os_errors
from rekindle._storage.local import fs
from rekindle.errors import ForeignFileError

# The number of links that Linux itself follows.
_MOST_LINKS = 40

_ROOT = 0


def refuse_others(directory: str, also: Collection[str] = ()) -> None:
    """Refuses a folder of another user, or with another user's checkpoint, before any file is read.

    On Windows, this function checks nothing.

    Args:
        directory: The folder, as an absolute path. It need not exist.
        also: Names of other files in the folder that may be read.

    Raises:
        ForeignFileError: The folder, or a file to read, belongs to another user.
        RestoreError: The system refused to list the folder.
    """
    if not hasattr(os, "geteuid"):
        return
    refuse_planted_links(directory)
    # A file system may show other owners than the real ones (NFS that squashes root, CIFS, a shared
    # folder of a virtual machine). There, a new file of ours shows the owner that our files have.
    created = functools.cache(lambda: _owner_of_new_files(directory))
    try:
        _refuse_other(directory, os.stat(directory).st_uid, created, directory)
        for name in fs.names_in(directory):
            if name in also or _is_of_save(name):
                path = os.path.join(directory, name)
                _refuse_other(path, os.lstat(path).st_uid, created, directory)
    except (FileNotFoundError, NotADirectoryError):
        # A file or folder that disappears meanwhile will not be read either.
        return
    except OSError as error:
        what = f"The backup folder {directory!r} cannot be opened"
        raise os_errors.not_restored(what, directory, error) from error


def refuse_planted_links(path: str) -> None:
    """Refuses a path through a link that another user made in a folder that all may write to.

    Raises:
        ForeignFileError: The path leads through such a link.
    """
    if not hasattr(os, "geteuid"):
        return
    parts, place, followed = collections.deque(path.split(os.sep)), os.sep, 0
    while parts and followed <= _MOST_LINKS:
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
        _refuse_planted(here, place, status.st_uid)
        followed += 1
        parts.extendleft(reversed(target.split(os.sep)))
        place = os.sep if os.path.isabs(target) else place


def is_shared(path: str) -> bool:
    """Whether all users may make names in the folder, but not remove the names of other users."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return bool(mode & stat.S_ISVTX and mode & stat.S_IWOTH)


def _refuse_planted(link: str, parent: str, owner: int) -> None:
    if owner in (os.geteuid(), os.stat(parent).st_uid) or not is_shared(parent):
        return
    raise ForeignFileError(
        f"{link!r} is a link that another user, {_user(owner)}, made in a folder in which every"
        " user may write. Choose another folder for the backup.",
        path=link,
    )


def _refuse_other(path: str, owner: int, created: Callable[[], int | None], directory: str) -> None:
    me = os.geteuid()
    if owner in (me, _ROOT) or owner == created():
        return
    raise ForeignFileError(
        f"{path!r} belongs to {_user(owner)}, and this process runs as {_user(me)}. rekindle"
        " does not resume from another user's files, and read none of them. If you trust them,"
        f" copy the folder (`cp -r {directory} <a folder of your own>`), or change its owner"
        f" (`chown -R {_user(me)} {directory}`). Otherwise choose another folder for the backup.",
        path=path,
    )


def _is_of_save(name: str) -> bool:
    is_of_checkpoint = layout.ANY_MANIFEST.fullmatch(name) or layout.ANY_PACK.fullmatch(name)
    return bool(is_of_checkpoint) or name == layout.WITNESS


def _owner_of_new_files(directory: str) -> int | None:
    """The owner of a file that we create in the folder; ``None`` if we cannot create one."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            return os.fstat(file.fileno()).st_uid
    except OSError:
        return None


def _user(number: int) -> str:
    """The user's name, or the number if the user has no name."""
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
