"""A recorded run as changes to a disk, and the folder after any set of these changes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from faults import tree

TOP = 0


@dataclass
class Naming:
    """A change of names: `inode` gets a name, loses a name, or both. Each is (folder, name)."""

    when: int
    inode: int
    gets: tuple[int, str] | None = None
    loses: tuple[int, str] | None = None

    @property
    def folders(self) -> set[int]:
        return {place[0] for place in (self.gets, self.loses) if place}


@dataclass
class Filling:
    """A change of a file's bytes: `data` at `offset`. Without data, the file is cut at `offset`."""

    when: int
    offset: int
    data: bytes | None


@dataclass
class Syncing:
    """A sync: after it, the inode's bytes, or a folder's names, are durable."""

    when: int
    inode: int


@dataclass
class Disk:
    """A folder and all changes to it, in order.

    Attributes:
        namings: Changes of names, the initial ones first, at time -1.
        fillings: By inode, changes of bytes; None for a folder.
        syncings: In order.
        marks: Times at which the run acknowledged something.
        end: One past the last time.
    """

    namings: list[Naming] = field(default_factory=list)
    fillings: dict[int, list[Filling] | None] = field(default_factory=lambda: {TOP: None})
    syncings: list[Syncing] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    end: int = 0

    def synced(self, inode: int, now: int) -> int:
        """The time of the inode's last sync up to `now`; -1 for never."""
        times = [sync.when for sync in self.syncings if sync.inode == inode and sync.when <= now]
        return max(times, default=-1)

    def tree(self, namings: Iterable[Naming], content: dict[int, bytes]) -> tree.Tree:
        """The folder after these changes of names, with these bytes in its files."""
        names: dict[int, dict[str, int]] = {}
        for naming in namings:
            if naming.loses:
                folder, name = naming.loses
                if names.get(folder, {}).get(name) == naming.inode:
                    del names[folder][name]
            if naming.gets:
                folder, name = naming.gets
                names.setdefault(folder, {})[name] = naming.inode
        found: tree.Tree = {}
        self._walk(TOP, "", names, content, found)
        return found

    def _walk(
        self,
        folder: int,
        path: str,
        names: dict[int, dict[str, int]],
        content: dict[int, bytes],
        found: tree.Tree,
    ) -> None:
        for name, inode in names.get(folder, {}).items():
            full = os.path.join(path, name)
            if self.fillings[inode] is None:
                found[full] = None
                self._walk(inode, full, names, content, found)
            else:
                found[full] = content[inode]


class Replay:
    """Reads the record of `interpose.c` into a :class:`Disk`."""

    def __init__(self, top: str, start: tree.Tree, record: bytes) -> None:
        self._top = top
        self.disk = Disk()
        self._names: dict[int, dict[str, int]] = {TOP: {}}
        self._open: dict[int, int] = {}
        self._now = -1
        for path in sorted(start):
            data = start[path]
            inode = self._make(path, is_folder=data is None)
            if data:
                self._fill(inode, 0, data)
        at = 0
        while at < len(record):
            line_end = record.index(b"\n", at)
            call, fd, offset, length, flags, path, other = record[at:line_end].decode().split("\t")
            at = line_end + 1
            data = record[at : at + int(length)]
            at += int(length)
            self._now += 1
            getattr(self, f"_on_{call}")(int(fd), int(offset), data, int(flags), path, other)
        self.disk.end = self._now + 1

    def _make(self, path: str, *, is_folder: bool) -> int:
        inode = len(self.disk.fillings)
        self.disk.fillings[inode] = None if is_folder else []
        if is_folder:
            self._names[inode] = {}
        self._name(inode, gets=self._place(path))
        return inode

    def _name(
        self,
        inode: int,
        gets: tuple[int, str] | None = None,
        loses: tuple[int, str] | None = None,
    ) -> None:
        if loses:
            del self._names[loses[0]][loses[1]]
        if gets:
            self._names[gets[0]][gets[1]] = inode
        self.disk.namings.append(Naming(self._now, inode, gets, loses))

    def _place(self, path: str) -> tuple[int, str]:
        folder, name = os.path.split(os.path.relpath(os.path.join(self._top, path), self._top))
        return self._find(folder), name

    def _find(self, path: str) -> int:
        inode = TOP
        for name in os.path.relpath(os.path.join(self._top, path), self._top).split(os.sep):
            if name != ".":
                inode = self._names[inode][name]
        return inode

    def _fill(self, inode: int, offset: int, data: bytes | None) -> None:
        fillings = self.disk.fillings[inode]
        assert fillings is not None
        fillings.append(Filling(self._now, offset, data))

    def _on_create(self, fd, offset, data, flags, path, other):
        self._open[fd] = self._make(path, is_folder=False)

    def _on_open(self, fd, offset, data, flags, path, other):
        self._open[fd] = self._find(path)
        if flags:
            self._fill(self._open[fd], 0, None)

    def _on_close(self, fd, offset, data, flags, path, other):
        self._open.pop(fd, None)

    def _on_write(self, fd, offset, data, flags, path, other):
        self._fill(self._open[fd], offset, data)

    def _on_truncate(self, fd, offset, data, flags, path, other):
        self._fill(self._open[fd], offset, None)

    def _on_sync(self, fd, offset, data, flags, path, other):
        self.disk.syncings.append(Syncing(self._now, self._open[fd]))

    def _on_mkdir(self, fd, offset, data, flags, path, other):
        self._make(path, is_folder=True)

    def _on_unlink(self, fd, offset, data, flags, path, other):
        self._name(self._find(path), loses=self._place(path))

    def _on_rename(self, fd, offset, data, flags, path, other):
        self._name(self._find(path), gets=self._place(other), loses=self._place(path))

    def _on_link(self, fd, offset, data, flags, path, other):
        self._name(self._find(path), gets=self._place(other))

    def _on_mark(self, fd, offset, data, flags, path, other):
        self.disk.marks.append(self._now)
