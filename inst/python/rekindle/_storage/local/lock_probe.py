"""Who holds a folder, told without its lock: a look must not refuse the run that begins just now.

Trying the lock and letting go at once would be shorter, and for that instant it would be a run.
"""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass

from rekindle._format import layout
from rekindle._storage.local import fs
from rekindle._storage.local.lock import Holder, may_be_alive, read_holder
from rekindle.errors import ForeignFileError


@dataclass(frozen=True)
class LockStatus:
    """Whether a run holds a folder.

    Attributes:
        held: True or False, or ``None`` when it cannot be told from here: the last holder ran on
            another host, or this system does not say which files are locked.
        holder: Who holds it or, when that cannot be told, who last did; ``None`` when nobody does.
    """

    held: bool | None = False
    holder: Holder | None = None

    @property
    def is_here(self) -> bool:
        """Whether it is this very process."""
        holder = self.holder
        return bool(
            self.held
            and holder is not None
            and holder.pid == os.getpid()
            and holder.host == socket.gethostname()
        )


def look(directory: str) -> LockStatus:
    """Whether a run holds the folder, and who. Nothing is locked or changed.

    Raises:
        OSError: The system refused to read.
    """
    path = os.path.join(directory, layout.LOCK)
    try:
        fd, _ = fs.open_regular(path)
    except (FileNotFoundError, NotADirectoryError, fs.NotRegularError):
        return LockStatus()
    except PermissionError:
        return LockStatus(None, None)
    with fs.closing(fd):
        try:
            named = read_holder(fd, path)
        except ForeignFileError:
            return LockStatus()
        pids = _lockers(fd)
    if pids:
        return LockStatus(True, _known(named, pids))
    if named.pid is None:
        return LockStatus() if pids is not None else LockStatus(None, named)
    # A lock that a server keeps, or another container, is in no table of ours.
    if named.host != socket.gethostname() or (pids is None and may_be_alive(named)):
        return LockStatus(None, named)
    return LockStatus()


def _known(named: Holder, pids: list[int]) -> Holder:
    """The holder in words: its own, unless it has not yet written them over its forerunner's."""
    if named.host != socket.gethostname() or named.pid in pids:
        return named
    return Holder(socket.gethostname(), pids[0], None, named.made_folder)


def _lockers(fd: int) -> list[int] | None:
    """The processes here that hold the file's lock; ``None`` where the system has no such table."""
    if sys.platform != "linux":
        return None
    try:
        with open("/proc/locks", encoding="ascii", errors="replace") as table:
            lines = [line.split() for line in table]
        file = _name_in_table(fd)
    except OSError:
        return None
    # As in "1: FLOCK ADVISORY WRITE 4242 fe:00:2146515 0 EOF"; who waits has "->" after the "1:".
    return [
        int(words[4])
        for words in lines
        if len(words) > 5 and words[1] == "FLOCK" and words[5] == file and words[4].isdigit()
    ]


def _name_in_table(fd: int) -> str:
    """Device and inode as the kernel itself counts them.

    stat() may say others: btrfs has a device number for each subvolume, overlayfs one for each
    layer. Those of the file's mount are the ones in the table.
    """
    status = os.fstat(fd)
    device, inode = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}", status.st_ino
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
        info = dict(line.split(":", 1) for line in file if ":" in line)
    if "ino" in info:
        inode = int(info["ino"])
    mount = info.get("mnt_id", "").strip()
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            words = line.split(" ", 3)
            if words[0] == mount:
                device = words[2]
    major, minor = map(int, device.split(":"))
    return f"{major:02x}:{minor:02x}:{inode}"
