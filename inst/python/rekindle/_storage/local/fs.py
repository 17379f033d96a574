"""System calls that also handle the caller's duties: short writes, EINTR, syncing a folder."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from rekindle._storage.protocol import NotRegularError, TooLargeError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_T = TypeVar("_T")

_CLOEXEC = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# Never follow a link in place of a file: it may lead out of the folder. Opening a FIFO must not
# wait.
SAFE = _CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)

# The errors from opening a link (two systems use different ones), a socket or a folder as a file.
_NOT_A_FILE = {errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EISDIR}

# The errors of a file system that does not support this sync (of a folder, or macOS' full sync).
_NO_SUCH_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.ENOSYS}

# The largest single transfer. Linux cuts larger transfers at 2 GiB, and macOS refuses them.
_LARGEST_TRANSFER = 1 << 30


class Place(NamedTuple):
    """A name in an open folder. If the folder is renamed, the name is still one in that folder.

    Attributes:
        name: The name.
        folder: The folder's descriptor.
    """

    name: str
    folder: int


# A path, or a name in an open folder.
Where = str | Place


def _split(where: Where) -> tuple[str, int | None]:
    return (where, None) if isinstance(where, str) else where


def retrying(call: Callable[..., _T], *args: object, **more: object) -> _T:
    """Makes the call, and again after EINTR: Python retries open by itself, but not rename."""
    while True:
        try:
            return call(*args, **more)
        except InterruptedError:
            continue


def close(fd: int) -> None:
    # After EINTR the descriptor is closed on Linux. A second close could close the file of another
    # thread.
    with contextlib.suppress(InterruptedError):
        os.close(fd)


@contextlib.contextmanager
def closing(fd: int) -> Iterator[int]:
    """Closes `fd`; raises an error of close() (NFS: EDQUOT) only if no error came before it."""
    try:
        yield fd
    except BaseException:
        with contextlib.suppress(OSError):
            close(fd)
        raise
    close(fd)


def create(where: Where) -> int:
    """Opens a new file for writing. Fails if the name exists already, even as a link."""
    path, at = _split(where)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | SAFE, 0o666, dir_fd=at)


def open_regular(where: Where, flags: int = os.O_RDONLY) -> tuple[int, int]:
    """Opens an existing regular file; returns its descriptor and its size in bytes."""
    path, at = _split(where)
    try:
        fd = os.open(path, flags | SAFE, 0o666, dir_fd=at)
    except OSError as error:
        if error.errno in _NOT_A_FILE:
            raise NotRegularError(error.errno, "not a regular file", path) from error
        raise
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise NotRegularError(errno.EINVAL, "not a regular file", path)
    except BaseException:
        with contextlib.suppress(OSError):
            close(fd)
        raise
    return fd, status.st_size


def read_file(path: Where, at_most: int) -> bytes:
    """The file's bytes. Checks the size first, because a sparse file may be larger than memory."""
    fd, size = open_regular(path)
    with closing(fd):
        if size > at_most:
            raise TooLargeError(errno.EFBIG, f"larger than {at_most} bytes", _split(path)[0])
        return read_whole(fd, size)


def read_whole(fd: int, size: int) -> bytes:
    """The bytes of an open file of this size, from its beginning."""
    # Read into the final bytes: a copy of a large file would cost time and memory.
    parts = [os.read(fd, min(size, _LARGEST_TRANSFER))]
    while parts[-1] and (left := size - sum(map(len, parts))) > 0:
        parts.append(os.read(fd, min(left, _LARGEST_TRANSFER)))
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read_part(path: Where, start: int, length: int) -> bytes:
    """Bytes of a file from `start` on; a negative `start` counts from the end of the file."""
    fd, size = open_regular(path)
    with closing(fd):
        return read_range(fd, size, start, length)


def read_range(fd: int, size: int, start: int, length: int) -> bytes:
    """The same of an open file of this size."""
    start = start if start >= 0 else max(0, size + start)
    if hasattr(os, "pread"):
        found = os.pread(fd, length, start)
        # A network file system may have ended the read early.
        if len(found) == length or start + len(found) >= size:
            return found
    part = bytearray(length)
    return bytes(part[: read_into(fd, memoryview(part), start)])


def read_into(fd: int, buffer: memoryview, offset: int) -> int:
    """Fills `buffer` from `offset` on; returns the number of bytes, fewer if the file ends."""
    file = io.FileIO(fd, closefd=False)
    file.seek(offset)
    done = 0
    while done < len(buffer):
        count = file.readinto(buffer[done : done + _LARGEST_TRANSFER])
        if not count:
            break
        done += count
    return done


def write_all(fd: int, data: memoryview) -> None:
    """Writes all of `data`. A full disk or a signal may end a single write early without error."""
    while len(data):
        count = os.write(fd, data[:_LARGEST_TRANSFER])
        if count == 0:
            raise OSError(errno.EIO, "write() wrote nothing")
        data = data[count:]


def set_direct(fd: int, direct: bool) -> bool:
    """Turns writing past the system's cache on or off; returns False if the system refuses.

    Direct writes take only whole blocks, from memory that begins at a multiple of a block.
    """
    flag = getattr(os, "O_DIRECT", 0)
    if not flag or fcntl is None:
        return not direct
    try:
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | flag if direct else flags & ~flag)
    except OSError:
        return False
    return True


def sync(fd: int) -> None:
    """Waits until the file's bytes are on the medium. macOS' fsync() stops at the drive's cache."""
    if sys.platform == "darwin":
        try:
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
        except OSError as error:
            # Network file systems support only the plain call.
            if error.errno not in _NO_SUCH_SYNC:
                raise
    os.fsync(fd)


def sync_folder(where: Where) -> None:
    """Waits until the folder's names are on the medium. Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    path, at = _split(where)
    with closing(os.open(path, os.O_RDONLY | os.O_DIRECTORY | _CLOEXEC, dir_fd=at)) as fd:
        try:
            os.fsync(fd)
        except OSError as error:
            if error.errno not in _NO_SUCH_SYNC:
                raise


def write_new(path: Where, data: bytes, *, durable: bool = True) -> None:
    """Writes a new file with these bytes; syncs it if `durable`. On failure, removes the file."""
    fd = create(path)
    try:
        with closing(fd):
            write_all(fd, memoryview(data))
            if durable:
                sync(fd)
    except BaseException:
        discard(path)
        raise


def rename(old: Where, new: Where) -> None:
    (source, source_at), (target, target_at) = _split(old), _split(new)
    retrying(os.replace, source, target, src_dir_fd=source_at, dst_dir_fd=target_at)


def remove(where: Where) -> None:
    """Removes a file. A file that is already gone is not an error."""
    path, at = _split(where)
    with contextlib.suppress(FileNotFoundError):
        retrying(os.unlink, path, dir_fd=at)


def discard(path: Where) -> None:
    """Removes a partial file after a failure; ignores errors, because the failure matters more."""
    with contextlib.suppress(OSError):
        remove(path)


def names_in(folder: str | int) -> list[str]:
    if not isinstance(folder, int):
        return retrying(os.listdir, folder)
    # Threads that list one descriptor share its place in the list, and each would miss names.
    flags = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
    own = retrying(os.open, os.curdir, flags, dir_fd=folder)
    with closing(own):
        return retrying(os.listdir, own)


def lstat(where: Where) -> os.stat_result:
    path, at = _split(where)
    return os.stat(path, dir_fd=at, follow_symlinks=False)


def exists(where: Where) -> bool:
    """Whether the name exists, even as a dangling link."""
    try:
        lstat(where)
    except FileNotFoundError:
        return False
    return True


def free_bytes(path: str | int) -> int | None:
    try:
        status = os.statvfs(path)
    except (OSError, AttributeError):
        return None
    return status.f_bavail * status.f_frsize
