"""Checks who owns a folder: rekindle resumes only from files of this user or of root.

A digest shows that the bytes are those that were written, not that the writer was honest. In a
folder that others may write to, another user can plant a folder or a checkpoint.

Whose files count as this user's own is a property of the machine and not of the script, which may
be somebody else's. So the environment variable ``REKINDLE_TRUST_OWNER`` names further users.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Collection

from rekindle._format import layout
from rekindle._storage import os_errors
from rekindle._storage.local import directory as directories
from rekindle._storage.local import fs, trusted
from rekindle._storage.local.open_folder import OpenFolder
from rekindle._storage.local.trusted import name_of
from rekindle.errors import ForeignFileError


class Guard:
    """Refuses the files of other users, before anything in them is read.

    Args:
        directory: The folder, as an absolute path.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._own = trusted.users()
        self._has_asked = False

    def check(self, folder: OpenFolder | None, status: os.stat_result, name: str = "") -> None:
        """Refuses the folder, or a file of this name in it, if another user owns it.

        Args:
            folder: The folder, if it is open.
            status: The status of the opened folder or file.
            name: The file's name.

        Raises:
            ForeignFileError: Another user owns it.
        """
        owner = status.st_uid
        if owner not in self._own and folder is not None and not self._has_asked:
            # A file system may show other owners than the real ones (NFS that squashes root, CIFS,
            # a shared folder of a virtual machine). There, a new file of ours shows the owner that
            # our files have.
            self._has_asked = True
            self._own |= _owner_of_new_files(folder)
        if owner in self._own:
            return
        directory, me = self._directory, name_of(os.geteuid())
        path = os.path.join(directory, name) if name else directory
        raise ForeignFileError(
            f"{path!r} belongs to {name_of(owner)}, and this process runs as {me}. rekindle does"
            " not resume from another user's files, and read none of them. If you trust them, copy"
            f" the folder (`cp -r {directory} <a folder of your own>`), change its owner (`chown -R"
            f" {me} {directory}`), or set the environment variable {trusted.VARIABLE} to"
            f" {owner}. Otherwise choose another folder for the backup.",
            path=path,
        )


def _owner_of_new_files(folder: OpenFolder) -> frozenset[int]:
    """The owner of a file that we create in the folder; empty if we cannot create one."""
    place = folder.place(f".rekindle-{secrets.token_hex(8)}.owner")
    try:
        fd = fs.create(place)
    except OSError:
        return frozenset()
    with fs.closing(fd):
        fs.discard(place)
        return frozenset((os.fstat(fd).st_uid,))


def refuse_other(directory: str, fd: int, name: str) -> None:
    """Refuses an open file of this name in the folder, if another user owns it.

    Raises:
        ForeignFileError: Another user owns it.
    """
    if not hasattr(os, "geteuid"):
        return
    status = os.fstat(fd)
    if status.st_uid in trusted.users():
        return
    with contextlib.closing(directories.open_folder(directory)) as folder:
        Guard(directory).check(folder, status, name)


def refuse_others(directory: str, also: Collection[str] = ()) -> Guard | None:
    """Refuses a folder of another user, or with another user's checkpoint, before any file is read.

    Args:
        directory: The folder, as an absolute path. It need not exist.
        also: Names of other files in the folder that may be read.

    Returns:
        The guard for the folder and each file, once they are open: another user may replace them
        after this check. ``None`` on Windows, where rekindle checks no owners.

    Raises:
        ForeignFileError: The folder, or a file to read, belongs to another user.
        RestoreError: The system refused to list the folder.
    """
    if not hasattr(os, "geteuid"):
        return None
    guard = Guard(directory)
    try:
        with contextlib.closing(directories.open_folder(directory)) as folder:
            guard.check(folder, folder.status())
            for name in folder.names():
                if name in also or _is_of_save(name):
                    # A file that disappears meanwhile is looked at when it is opened.
                    with contextlib.suppress(FileNotFoundError):
                        guard.check(folder, fs.lstat(folder.place(name)), name)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        what = f"The backup folder {directory!r} cannot be opened"
        raise os_errors.not_restored(what, directory, error) from error
    return guard


def _is_of_save(name: str) -> bool:
    return layout.of_checkpoint(name) is not None or name == layout.WITNESS
