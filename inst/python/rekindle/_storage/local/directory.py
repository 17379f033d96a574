"""Opens the folder itself, and makes it: durably, and only in a safe place.

Another user may be able to put a link, or a folder, in the place of a name between a check and its
use. So each name of the path is opened first, and the opened thing is checked. Where the system
cannot do this (it has no ``O_PATH``), the path is checked before and after it is opened.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import os
import stat

from rekindle._storage.local import fs, ownership
from rekindle._storage.local.open_folder import OpenFolder

_LIST = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | fs.SAFE
# A folder of the path need not be readable.
_PASS = getattr(os, "O_PATH", 0)


def open_folder(path: str) -> OpenFolder:
    """Opens an existing folder.

    Args:
        path: The folder.

    Raises:
        ForeignFileError: The path leads through a link that another user may have planted.
        OSError: The system refused, or there is no such folder.
    """
    return _opened(path, make=False)[0]


def make_folder(path: str) -> tuple[OpenFolder, bool]:
    """Opens a folder; makes it and its missing parents, durably. Returns whether it was made.

    The folder's permissions follow the umask. In a folder that everybody may write to (a shared
    ``/tmp``), only the owner gets access.

    Raises:
        ForeignFileError, OSError: As :func:`open_folder`.
    """
    return _opened(path, make=True)


def _opened(path: str, *, make: bool) -> tuple[OpenFolder, bool]:
    # The walk begins at the root.
    path = os.path.abspath(path)
    if _PASS:
        walk = _Walk(path, make)
        try:
            walk.run()
            return OpenFolder(path, os.open(os.curdir, _LIST, dir_fd=walk.at)), walk.made
        finally:
            with contextlib.suppress(OSError):
                fs.close(walk.at)
    ownership.refuse_planted_links(path)
    made = make and _made(path)
    folder = OpenFolder.of(path)
    try:
        ownership.refuse_planted_links(path)
    except BaseException:
        folder.close()
        raise
    return folder, made


def _made(path: str) -> bool:
    if os.path.isdir(path):
        return False
    parent = os.path.dirname(path)
    if parent != path:
        _made(parent)
    try:
        fs.retrying(os.mkdir, path, _mode_below(os.stat(parent)))
    except FileExistsError:
        if not os.path.isdir(path):
            # The text names the path: it may be a parent of the folder that the user gave.
            raise NotADirectoryError(errno.ENOTDIR, f"{path!r} is not a folder") from None
        return False
    _sync(parent)
    return True


def _mode_below(parent: os.stat_result) -> int:
    return 0o700 if ownership.is_shared(parent) else 0o777


def _sync(parent: fs.Where) -> None:
    # Without this sync, a power cut could lose the folder with every checkpoint in it. A parent
    # that we may write to but not read cannot be synced.
    with contextlib.suppress(PermissionError):
        fs.sync_folder(parent)


class _Walk:
    """One walk along a path, which opens each name.

    Attributes:
        at: The descriptor of the folder that the walk has reached.
        made: Whether the walk made that folder.
    """

    def __init__(self, path: str, make: bool) -> None:
        self._left = collections.deque(path.split(os.sep))
        self._path = path
        self._make = make
        self._shown = os.sep
        self.at = os.open(os.sep, _PASS | _LIST)
        self.made = False

    def run(self) -> None:
        links = 0
        while self._left:
            name = self._left.popleft()
            if name in ("", os.curdir):
                continue
            fd = self._open(name)
            status = os.fstat(fd)
            if stat.S_ISDIR(status.st_mode):
                self._go_to(fd)
                self._shown = os.path.normpath(os.path.join(self._shown, name))
                continue
            with fs.closing(fd):
                if not stat.S_ISLNK(status.st_mode):
                    # The text names it: it may be a parent of the folder that the user gave.
                    found = os.path.join(self._shown, name)
                    raise NotADirectoryError(errno.ENOTDIR, f"{found!r} is not a folder")
                links += 1
                if links > ownership.MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self._path)
                link = os.path.join(self._shown, name)
                ownership.refuse_planted(link, status, os.fstat(self.at))
                target = os.readlink("", dir_fd=fd)
            self._left.extendleft(reversed(target.split(os.sep)))
            if os.path.isabs(target):
                self._go_to(os.open(os.sep, _PASS | _LIST))
                self._shown = os.sep

    def _open(self, name: str) -> int:
        self.made = False
        try:
            return self._open_there(name)
        except FileNotFoundError:
            if not self._make:
                raise
        mode = _mode_below(os.fstat(self.at))
        # If another process makes the name at this moment, it is looked at like any other.
        with contextlib.suppress(FileExistsError):
            fs.retrying(os.mkdir, name, mode, dir_fd=self.at)
            self.made = True
            _sync(fs.Place(os.curdir, self.at))
        return self._open_there(name)

    def _open_there(self, name: str) -> int:
        # Only if a folder is asked for, Linux mounts what is mounted on first use: homes and
        # scratch folders of a cluster. A link is opened without that.
        try:
            return os.open(name, _PASS | os.O_DIRECTORY | fs.SAFE, dir_fd=self.at)
        except NotADirectoryError:
            return os.open(name, _PASS | fs.SAFE, dir_fd=self.at)

    def _go_to(self, fd: int) -> None:
        before, self.at = self.at, fd
        # Nothing was written through it.
        with contextlib.suppress(OSError):
            fs.close(before)
