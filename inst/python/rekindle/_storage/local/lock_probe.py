"""Finds the holder of a folder without taking its lock, which could refuse a run that begins now.

To take the lock and release it at once would be shorter. But for that instant, the caller would
count as a run that holds the folder.
"""

from __future__ import annotations

import os
import socket
import sys

from rekindle._format import layout
from rekindle._storage.local import fs
from rekindle._storage.local.lock import may_be_alive, read_holder
from rekindle._storage.protocol import Holder, LockStatus, NotRegularError
from rekindle.errors import ForeignFileError


def look(directory: str) -> LockStatus:
    """Whether a run holds the folder, and which. Locks and changes nothing.

    Raises:
        OSError: The system refused to read.
    """
    path = os.path.join(directory, layout.LOCK)
    try:
        fd, _ = fs.open_regular(path)
    except (FileNotFoundError, NotADirectoryError, NotRegularError):
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
    # Our table does not show a lock that a file server or another container holds.
    if named.host != socket.gethostname() or (pids is None and may_be_alive(named)):
        return LockStatus(None, named)
    return LockStatus()


def _known(named: Holder, pids: list[int]) -> Holder:
    """The holder as the file names it, unless the file still names the previous holder."""
    if named.host != socket.gethostname() or named.pid in pids:
        return named
    return Holder(socket.gethostname(), pids[0], None, named.made_folder)


def _lockers(fd: int) -> list[int] | None:
    """The local processes that hold the lock; ``None`` if the system has no table of locks."""
    if sys.platform != "linux":
        return None
    try:
        with open("/proc/locks", encoding="ascii", errors="replace") as table:
            lines = [line.split() for line in table]
        file = _name_in_table(fd)
    except OSError:
        return None
    # For example "1: FLOCK ADVISORY WRITE 4242 fe:00:2146515 0 EOF". The line of a process that
    # waits has "->" after the "1:".
    return [
        int(words[4])
        for words in lines
        if len(words) > 5 and words[1] == "FLOCK" and words[5] == file and words[4].isdigit()
    ]


def _name_in_table(fd: int) -> str:
    """Device and inode of the file as the kernel's table of locks names them.

    stat() may report other numbers: btrfs has a device number for each subvolume, and overlayfs
    has one for each layer. The table has the numbers of the file's mount.
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
