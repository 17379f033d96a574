"""Names that lead to open files, for libraries that open files by name only.

Between a check of a file and the library's own open(), another process could put a different file
under the name. A name that leads to the descriptor of the checked file leaves no such moment.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping

from rekindle._storage.local import fs

_PIECE = 8 << 20


@contextlib.contextmanager
def named(files: Mapping[str, int]) -> Iterator[str]:
    """A folder of this process, in which each name leads to an open regular file.

    Args:
        files: The descriptors, open for reading, by the names that the library needs.
    """
    # Only this user can enter the folder, so its names stay as they are.
    with tempfile.TemporaryDirectory(prefix="rekindle-") as folder:
        for name, fd in files.items():
            path = os.path.join(folder, name)
            if not _links(path, fd):
                _copy(path, fd)
        yield folder


def _links(path: str, fd: int) -> bool:
    """Makes a link to the descriptor, if the system has names for descriptors."""
    # On other systems, /dev/fd shares one position in the file with the descriptor.
    try:
        os.symlink(f"/proc/self/fd/{fd}", path)
        if os.path.samestat(os.stat(path), os.fstat(fd)):
            return True
    except (OSError, NotImplementedError):
        pass
    fs.discard(path)
    return False


def _copy(path: str, fd: int) -> None:
    left, offset = os.fstat(fd).st_size, 0
    piece = memoryview(bytearray(min(left, _PIECE)))
    with fs.closing(fs.create(path)) as copy:
        while count := fs.read_into(fd, piece[: min(left, _PIECE)], offset):
            fs.write_all(copy, piece[:count])
            left, offset = left - count, offset + count
