"""The interface to a storage: the place where the files of one folder of checkpoints lie.

:mod:`rekindle._repository` decides which files to write, in which order, and whether they are
whole. A storage moves their bytes. `python/tests/storage/contract.py` has the tests that
every storage must pass.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


class NotRegularError(OSError):
    """The name belongs to something other than a regular file: a link, a folder, a device."""


class TooLargeError(OSError):
    """The file is larger than any file that rekindle writes under such a name."""


@dataclass(frozen=True)
class FileStatus:
    """What a storage knows of a name without reading the file.

    Attributes:
        size: The size in bytes; 0 if this is not a regular file.
        is_regular: Whether this is a regular file.
    """

    size: int
    is_regular: bool


@dataclass(frozen=True)
class Holder:
    """The process that holds, or last held, a storage.

    Attributes:
        host: Name of the host.
        pid: Process id on that host.
        started: POSIX seconds at which the process took the lock.
        made_folder: Whether rekindle made the folder.
    """

    host: str | None = None
    pid: int | None = None
    started: float | None = None
    made_folder: bool = False

    def in_words(self, *, is_here: bool) -> str:
        """The holder as messages name it; `is_here`: it is this process."""
        if self.pid is None:
            return "another run"
        elsewhere = f"process {self.pid} on {self.host!r}"
        who = "another run in this process" if is_here else elsewhere
        if self.started is None:
            return who
        began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.started))
        return f"{who}, since {began}"


@dataclass(frozen=True)
class LockStatus:
    """Whether a run holds a storage.

    Attributes:
        held: True or False, or ``None`` if this process cannot tell: the last holder ran on
            another host, or this system does not report which files are locked.
        holder: The holder or, if `held` is ``None``, the last known holder; ``None`` if there is
            none or it is unknown.
    """

    held: bool | None = False
    holder: Holder | None = None

    @property
    def is_here(self) -> bool:
        """Whether this process holds the storage."""
        holder = self.holder
        return bool(
            self.held
            and holder is not None
            and holder.pid == os.getpid()
            and holder.host == socket.gethostname()
        )


class StoredFile(Protocol):
    """A file that is open for reading, by one thread.

    Attributes:
        size: The size in bytes.
    """

    @property
    def size(self) -> int: ...

    def expect(self, start: int, stop: int) -> None:
        """Says that the caller will read these bytes next, in order. It need not be called."""

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fills `buffer` from `offset` on; returns the number of bytes, fewer if the file ends."""


class FileInPlace(Protocol):
    """A file that is open for writes in place, each of which a power cut may lose."""

    def write(self, offset: int, data: bytes) -> None:
        """Writes the bytes from `offset` on. Other programs see them at once, or after a while."""

    def close(self) -> None:
        """Closes the file; ignores errors of the system."""


class Staging(Protocol):
    """A file that is durable before readers can see it. To publish it is the commit point.

    Attributes:
        may_be_published: Whether the file may have its name. This is False before
            :meth:`publish`, and after a :meth:`publish` that certainly failed.
    """

    @property
    def may_be_published(self) -> bool: ...

    def write(self, data: bytes) -> None:
        """Makes the bytes durable, and every name that was written before them."""

    def publish(self) -> None:
        """Gives the file its name, in one instant, in place of a file that has this name."""

    def acknowledge(self) -> None:
        """Returns when the file is published for good."""

    def abandon(self) -> None:
        """Removes the file if it is not published; ignores errors of the system."""


class Storage(Protocol):
    """The files of one folder. A name is a single file name, without the folder.

    Every method raises :class:`OSError` if the system refuses. A method that reads a file raises
    :class:`FileNotFoundError` if it does not exist, and :class:`NotRegularError` if it is
    something other than a file.

    Attributes:
        url: The folder as messages name it.
        is_remote: Whether a network lies between: then nothing may wait for a write.
        session: The number of the turn of this writer, which is greater than those before; 0 if a
            writer that lost its lock cannot write any more.
        trouble: What the user should know of work that failed behind the caller; else ``None``.
    """

    @property
    def url(self) -> str: ...

    @property
    def is_remote(self) -> bool: ...

    @property
    def session(self) -> int: ...

    @property
    def trouble(self) -> str | None: ...

    def where(self, name: str) -> str:
        """The file as messages name it."""

    # Reading. No method needs the lock.

    @property
    def exists(self) -> bool:
        """Whether there is such a folder."""

    def names(self) -> list[str]:
        """Every name in the folder.

        A file that :meth:`retire` holds back is not among them for the storage that holds it.
        """

    def status(self, name: str) -> FileStatus | None:
        """The size and kind of a file; ``None`` if the name does not exist."""

    def read(self, name: str, at_most: int) -> bytes:
        """The bytes of a file. Raises :class:`TooLargeError`, before it reads, above `at_most`."""

    def read_part(self, name: str, start: int, length: int) -> bytes:
        """Bytes from `start` on, fewer if the file ends; a negative `start` counts from the end."""

    def read_ends(self, name: str, head: int, tail: int) -> tuple[bytes, bytes]:
        """The first `head` and the last `tail` bytes, fewer if the file is smaller."""

    def open(self, name: str) -> AbstractContextManager[StoredFile]:
        """Opens a file for reads of any part."""

    def readers(self, size: int) -> int:
        """How many threads read `size` bytes of one file the quickest."""

    def free_bytes(self) -> int | None:
        """How many bytes can still be written; ``None`` if that is unknown."""

    # Writing. The caller holds the lock.

    def write_pack(self, name: str, size: int, chunks: Iterable[memoryview]) -> None:
        """Writes a new file of `size` bytes. After a failure there is no such file.

        The bytes are durable when this method returns; the name is durable after :meth:`sync`, or
        after :meth:`Staging.write`. The name must not exist yet.
        """

    def stage(self, name: str) -> Staging:
        """Begins to write the file of this name."""

    def put_hint(self, name: str, data: bytes) -> None:
        """Writes or replaces a file that nothing depends on, now or at :meth:`sync`.

        A power cut may cut it off.
        """

    def write_in_place(self, name: str) -> FileInPlace | None:
        """Opens an existing file for quick writes; ``None`` if the storage has no such writes."""

    def remove(self, name: str) -> None:
        """Removes a file. A file that is already gone is not an error."""

    def discard(self, name: str) -> None:
        """Removes a file after a failure; ignores errors, because the failure matters more."""

    def retire(self, name: str) -> None:
        """Removes a pack that no checkpoint needs, now or when its space has been used again."""

    def quarantine(self, name: str) -> str:
        """Gives a damaged file another name, which says so; returns that name."""

    def sync(self) -> None:
        """Returns when all changes of names are durable."""

    def read_back(self, names: Collection[str], stop: Callable[[], bool]) -> None:
        """Prepares a quick restore of these packs, if the storage can; `stop` ends it early."""

    # One writer.

    def hold(self) -> bool:
        """Makes the folder if it does not exist, and takes its lock.

        Returns:
            Whether this had to be done. It had not if this object holds the lock already.

        Raises:
            LockError: Another run holds the lock.
            ForeignFileError: Another program has a file under the lock's name.
        """

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock of the folder that is there now."""

    def release(self) -> None:
        """Releases the lock, if this object holds it; ignores errors of the system."""

    def withdraw(self) -> None:
        """Releases the lock, and leaves the folder as :meth:`hold` found it."""

    def unmake(self) -> None:
        """Removes the lock, then the folder if rekindle made it and it is empty; releases both."""

    def probe(self) -> LockStatus:
        """Whether a run holds the lock, and which. Locks and changes nothing."""

    def has_own_lock(self) -> bool:
        """Whether a file of rekindle has the lock's name."""

    def refuse_others(self, also: Collection[str] = ()) -> None:
        """Refuses files that another user may have planted, before any of them is read.

        Args:
            also: Names of other files in the folder that may be read.

        Raises:
            ForeignFileError: The folder, or a file to read, belongs to another user.
            RestoreError: The system refused to list the folder.
        """
