"""A folder of a local file system as the storage of checkpoints."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator

from rekindle._base import parallel, tuning
from rekindle._format import layout
from rekindle._storage.local import directory, fs, guard, lock_probe
from rekindle._storage.local.lock import Lock, read_holder
from rekindle._storage.local.open_file import InPlace, OpenFile
from rekindle._storage.local.open_folder import OpenFolder
from rekindle._storage.local.pack_file import PackFile
from rekindle._storage.protocol import (
    FileStatus,
    LockStatus,
    Staging,
    StoredFile,
    TooLargeError,
)
from rekindle.errors import ForeignFileError

# How often to try to lock a folder. A new attempt is needed only if another run cleans up at the
# same moment.
_ATTEMPTS = 100


class LocalStorage:
    """See :class:`rekindle._storage.protocol.Storage`.

    Args:
        folder: The folder, as an absolute path. It need not exist.
        past_cache: Whether large packs are written past the system's cache; see :class:`PackFile`.
    """

    is_remote = False
    session = 0
    trouble = None

    def __init__(self, folder: str, *, past_cache: bool = False) -> None:
        self._folder = folder
        self._past_cache = past_cache
        self._lock = Lock(folder)
        # Open while this object holds the lock, so that no other process can put a different
        # folder in its place.
        self._open: OpenFolder | None = None
        self._guard: guard.Guard | None = None
        self._pack_file = PackFile(self._at, past_cache=past_cache)
        # A wrong value ends the first call of the user, and not the first save.
        tuning.uses(tuning.RECYCLE)

    @property
    def url(self) -> str:
        return self._folder

    def where(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def _at(self, name: str) -> fs.Where:
        return self.where(name) if self._open is None else self._open.place(name)

    @property
    def _whole(self) -> str | int:
        return self._folder if self._open is None else self._open.whole

    @property
    def exists(self) -> bool:
        return os.path.isdir(self._folder)

    def names(self) -> list[str]:
        recycled = self._pack_file.spare.name
        return [name for name in fs.names_in(self._whole) if name != recycled]

    def status(self, name: str) -> FileStatus | None:
        try:
            status = fs.lstat(self._at(name))
        except FileNotFoundError:
            return None
        is_regular = stat.S_ISREG(status.st_mode)
        return FileStatus(status.st_size if is_regular else 0, is_regular)

    def read(self, name: str, at_most: int) -> bytes:
        with self._opened(name) as (fd, size):
            if size > at_most:
                raise TooLargeError(errno.EFBIG, f"larger than {at_most} bytes", name)
            return fs.read_whole(fd, size)

    def read_part(self, name: str, start: int, length: int) -> bytes:
        with self._opened(name) as (fd, size):
            return fs.read_range(fd, size, start, length)

    def read_ends(self, name: str, head: int, tail: int) -> tuple[bytes, bytes]:
        with self._opened(name) as (fd, size):
            return fs.read_range(fd, size, 0, head), fs.read_range(fd, size, -tail, tail)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[StoredFile]:
        with self._opened(name) as (fd, size), contextlib.closing(OpenFile(fd, size)) as file:
            yield file

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[tuple[int, int]]:
        """A regular file's descriptor and size, once it is sure whose file it is."""
        fd, size = fs.open_regular(self._at(name))
        with fs.closing(fd):
            if self._guard is not None:
                self._guard.check(self._open, os.fstat(fd), name)
            yield fd, size

    def readers(self, size: int) -> int:
        return parallel.readers(size)

    def free_bytes(self) -> int | None:
        return fs.free_bytes(self._whole)

    def write_pack(self, name: str, size: int, chunks: Iterable[memoryview]) -> None:
        path, temporary = self._at(name), self._temporary(name)
        # A crash may have left a file under this name. We hold the lock, so no run is writing it.
        fs.remove(temporary)
        fd = self._pack_file.create(temporary, size)
        try:
            with fs.closing(fd):
                self._pack_file.write(fd, size, chunks)
                fs.sync(fd)
            fs.rename(temporary, path)
        except BaseException:
            fs.discard(temporary)
            raise

    def stage(self, name: str) -> Staging:
        return LocalStaging(self._at(os.curdir), self._temporary(name), self._at(name))

    def put_hint(self, name: str, data: bytes) -> None:
        temporary = self._temporary(name)
        fs.remove(temporary)
        fs.write_new(temporary, data, durable=False)
        try:
            fs.rename(temporary, self._at(name))
        except BaseException:
            fs.discard(temporary)
            raise

    def write_in_place(self, name: str) -> InPlace:
        return InPlace(fs.open_regular(self._at(name), os.O_WRONLY)[0])

    def remove(self, name: str) -> None:
        fs.remove(self._at(name))

    def discard(self, name: str) -> None:
        fs.discard(self._at(name))

    def retire(self, name: str) -> None:
        if not self._pack_file.keep(name):
            self.remove(name)

    def quarantine(self, name: str) -> str:
        # The rename is not synced. If a power cut undoes it, rekindle finds the damage again.
        target = layout.damaged_name(name, lambda taken: fs.exists(self._at(taken)))
        with contextlib.suppress(FileNotFoundError):
            fs.rename(self._at(name), self._at(target))
        return target

    def sync(self) -> None:
        fs.sync_folder(self._at(os.curdir))

    def read_back(self, names: Collection[str], stop: Callable[[], bool]) -> None:
        self._pack_file.read_back([self._at(name) for name in names], stop)

    def hold(self) -> bool:
        if self._lock.is_held:
            return False
        self.release()
        self._acquire()
        self._pack_file = PackFile(self._at, past_cache=self._past_cache)
        return True

    def _acquire(self) -> None:
        absent: FileNotFoundError | None = None
        for _ in range(_ATTEMPTS):
            # The previous holder may remove the folder between any two of these calls.
            try:
                if self._acquire_folder():
                    return
                absent = None
            except FileNotFoundError as error:
                absent = error
        if absent is not None:
            # The system's own text, "No such file or directory", would be odd for a folder such as
            # /proc, which is there.
            raise OSError(absent.errno, "no file or folder can be made there")
        raise OSError(None, "other runs keep locking and removing it")

    def _acquire_folder(self) -> bool:
        self._open, made = directory.make_folder(self._folder)
        try:
            if self._guard is not None:
                self._guard.check(self._open, self._open.status())
            if self._lock.acquire(self._at(layout.LOCK), made_folder=made):
                return True
        except BaseException:
            self._close_folder()
            raise
        self._close_folder()
        return False

    def _close_folder(self) -> None:
        folder, self._open = self._open, None
        if folder is not None:
            folder.close()

    @property
    def is_held(self) -> bool:
        return self._lock.is_held

    def release(self) -> None:
        with contextlib.suppress(OSError):
            # If the folder was removed and made again, the name may belong to another run.
            if self._lock.is_held:
                self._pack_file.spare.discard()
            self._lock.release()
        self._close_folder()

    def withdraw(self) -> None:
        self._lock.release(remove=self._lock.made_file)
        self._close_folder()

    def unmake(self) -> None:
        made_folder = self._lock.holder.made_folder
        self._pack_file.spare.discard()
        self._lock.release(remove=True)
        self._close_folder()
        if made_folder:
            # If the folder is not empty, it holds foreign files, which rekindle must not remove.
            with contextlib.suppress(OSError):
                os.rmdir(self._folder)

    def probe(self) -> LockStatus:
        return lock_probe.look(self._folder)

    def has_own_lock(self) -> bool:
        try:
            fd, _ = fs.open_regular(self._at(layout.LOCK))
            with fs.closing(fd):
                read_holder(fd, self.where(layout.LOCK))
        except (OSError, ForeignFileError):
            return False
        return True

    def refuse_others(self, also: Collection[str] = ()) -> None:
        self._guard = guard.refuse_others(self._folder, also)

    def _temporary(self, name: str) -> fs.Where:
        return self._at(layout.temporary_name(name))


class LocalStaging:
    """A file under a temporary name, which a rename publishes."""

    def __init__(self, folder: fs.Where, temporary: fs.Where, path: fs.Where) -> None:
        self._folder = folder
        self._temporary = temporary
        self._path = path
        self.may_be_published = False
        # A crash may have left a file under this name. We hold the lock, so no run is writing it.
        fs.remove(temporary)

    def write(self, data: bytes) -> None:
        fs.write_new(self._temporary, data)
        fs.sync_folder(self._folder)

    def publish(self) -> None:
        # From here on, for an interrupt that arrives when the rename is done.
        self.may_be_published = True
        try:
            fs.rename(self._temporary, self._path)
        except BaseException:
            # A network file system may have renamed the file and lost the reply.
            self.may_be_published = _is_gone(self._temporary)
            raise

    def acknowledge(self) -> None:
        fs.sync_folder(self._folder)

    def abandon(self) -> None:
        fs.discard(self._temporary)


def _is_gone(path: fs.Where) -> bool:
    try:
        return not fs.exists(path)
    except OSError:
        return False
