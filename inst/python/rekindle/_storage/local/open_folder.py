"""A folder that is open: its names stay those of this folder, even if the folder is renamed."""

from __future__ import annotations

import os

from rekindle._storage.local import fs

# Windows has no descriptors of folders.
_CAN_OPEN = os.open in os.supports_dir_fd and hasattr(os, "O_DIRECTORY")
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


class OpenFolder:
    """An open folder. Where the system cannot open folders, it is only the folder's path.

    Args:
        path: The folder.
        follow: Whether the folder itself may be a link.

    Raises:
        OSError: The system refused, or the folder is a link.
    """

    def __init__(self, path: str, *, follow: bool) -> None:
        self._path = path
        self._fd: int | None = None
        if _CAN_OPEN:
            self._fd = os.open(path, _FOLDER | (0 if follow else _NO_LINK))

    def place(self, name: str) -> fs.Where:
        """The file of this name, for the functions of :mod:`rekindle._storage.local.fs`."""
        return os.path.join(self._path, name) if self._fd is None else fs.Place(name, self._fd)

    def names(self) -> list[str]:
        return fs.names_in(self._path if self._fd is None else self._fd)

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            fs.close(fd)
