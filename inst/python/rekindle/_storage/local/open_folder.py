"""A folder that is open: its names stay those of this folder, even if the folder is renamed."""

from __future__ import annotations

import contextlib
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
        fd: Its descriptor, which is closed with this object; ``None`` if there is none.
    """

    def __init__(self, path: str, fd: int | None) -> None:
        self._path = path
        self._fd = fd

    @classmethod
    def of(cls, path: str, *, follow: bool = True) -> OpenFolder:
        """Opens a folder.

        Args:
            path: The folder.
            follow: Whether the folder itself may be a link.

        Raises:
            OSError: The system refused, or the folder is a link.
        """
        fd = os.open(path, _FOLDER | (0 if follow else _NO_LINK)) if _CAN_OPEN else None
        return cls(path, fd)

    def place(self, name: str) -> fs.Where:
        """The file of this name, for the functions of :mod:`rekindle._storage.local.fs`."""
        return os.path.join(self._path, name) if self._fd is None else fs.Place(name, self._fd)

    @property
    def whole(self) -> str | int:
        """The folder itself, for the functions of the system."""
        return self._path if self._fd is None else self._fd

    def status(self) -> os.stat_result:
        return os.stat(self.whole)

    def names(self) -> list[str]:
        return fs.names_in(self.whole)

    def close(self) -> None:
        """Closes the folder; ignores errors of the system, as nothing was written through it."""
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):
                fs.close(fd)
