"""The text of the object `.lock`: who holds a prefix, and since when."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import sys
import time
import uuid
from typing import Any

from rekindle._base.environment import variable
from rekindle._format import layout
from rekindle._storage.protocol import Holder
from rekindle.errors import ArgumentError, ForeignFileError

# A lease lasts this long without a beat, in seconds.
_USUAL = 60.0
_VARIABLE = "REKINDLE_LEASE_SECONDS"

# A process that waits gives the holder this much more, in seconds.
MARGIN = 1.0

# Larger objects are not ours.
MOST_BYTES = 4096

# A number that no clock gives in this century is a damaged one. The names of packs have room for
# eleven digits, and each holder counts on.
_MOST_SESSION = 9 * 10**10


def seconds() -> float:
    """How long the leases of this process last without a beat."""
    given = variable(_VARIABLE)
    if not given:
        return _USUAL
    try:
        found = float(given)
    except ValueError:
        found = 0.0
    if 1.0 <= found <= 3600.0:
        return found
    raise ArgumentError(
        f"The environment variable {_VARIABLE} has the value {given!r:.50}. Accepted is a number of"
        f" seconds from 1 to 3600; by default {_USUAL:.0f}.",
        argument=_VARIABLE,
        value=given,
    )


def next_session(before: LeaseText | None) -> int:
    """The number of the turn after this one: the time, unless a clock was ahead."""
    by_clock = min(max(1, int(time.time())), _MOST_SESSION)
    return max(by_clock, 0 if before is None else before.session + 1)


@dataclasses.dataclass(frozen=True)
class LeaseText:
    """The content of the object.

    Attributes:
        holder: The process.
        session: The number of its turn; 0 if the text is not of a lease.
        token: Random, so that no two processes write the same bytes.
        seconds: How long the lease lasts without a beat.
        system: The boot and the process ids' namespace of the host; empty if unknown.
        born: When the process began, as the system counts; empty if unknown.
        beat: How often the lease was renewed.
        free: Whether the holder has given it up.
    """

    holder: Holder
    session: int = 0
    token: str = ""
    seconds: float = _USUAL
    system: str = ""
    born: str = ""
    beat: int = 0
    free: bool = False

    @staticmethod
    def of_this_process(session: int, token: str, seconds: float) -> LeaseText:
        holder = Holder(socket.gethostname(), os.getpid(), time.time())
        return LeaseText(holder, session, token, seconds, _system(), _process(os.getpid())[0])

    def next_beat(self) -> LeaseText:
        return dataclasses.replace(self, beat=self.beat + 1)

    def freed(self) -> LeaseText:
        return dataclasses.replace(self, beat=self.beat + 1, free=True)

    def is_free(self) -> bool:
        """Whether the lease is free. A copied lock file of a folder holds nothing."""
        return self.free or not self.token

    def _is_of_this_system(self) -> bool:
        # Two containers may have one host name, and see other processes.
        return bool(self.system) and (self.holder.host, self.system) == (
            socket.gethostname(),
            _system(),
        )

    def is_of_this_process(self) -> bool:
        """Whether the holder is this process."""
        return self.holder.pid == os.getpid() and self.is_of_live_process()

    def is_of_dead_process(self) -> bool:
        """Whether the holder ran on this system, and is gone."""
        return self._is_of_this_system() and not self._is_alive()

    def is_of_live_process(self) -> bool:
        """Whether the holder runs on this system."""
        return self._is_of_this_system() and self._is_alive()

    def _is_alive(self) -> bool:
        pid = self.holder.pid
        if pid is None or sys.platform == "win32":
            return True
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            pass
        born, is_ended = _process(pid)
        # A later process may have the number. One that was killed keeps it until its parent asks.
        return not is_ended and (not self.born or born in (self.born, ""))

    def name(self) -> str:
        """The holder as messages name it."""
        is_here = self.holder.pid == os.getpid() and self._is_of_this_system()
        return self.holder.in_words(is_here=is_here)


def _system() -> str:
    if sys.platform == "darwin":
        return f"darwin {uuid.getnode()}"
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _process(pid: int) -> tuple[str, bool]:
    """When a process began, as the system counts, and whether it has ended; "" if unknown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name of the program is in parentheses, and may have any character in it.
            fields = file.read().rpartition(b")")[2].split()
        return fields[19].decode("ascii"), fields[0] in (b"Z", b"X") and int(fields[17]) <= 1
    except (OSError, IndexError, ValueError):
        return "", False


def encode(text: LeaseText) -> bytes:
    holder = text.holder
    row = {
        "host": holder.host,
        "pid": holder.pid,
        "started": holder.started,
        **{name: value for name, value in vars(text).items() if name != "holder"},
    }
    return layout.LOCK_MAGIC + b"1," + json.dumps(row).encode("ascii")[1:] + b"\n"


def decode(data: bytes, where: str) -> LeaseText:
    """The text of the object.

    Raises:
        ForeignFileError: rekindle did not write it.
    """
    if not data.startswith(layout.LOCK_MAGIC):
        raise ForeignFileError(
            f"{where!r} is not a lock of rekindle. Move it away, or choose another place.",
            path=where,
        )
    try:
        row = json.loads(data)
    except (ValueError, RecursionError):
        row = {}
    return _checked(row if isinstance(row, dict) else {})


def _checked(row: dict[str, Any]) -> LeaseText:
    """The valid parts of the text, which another program may have written."""

    def text(name: str) -> str:
        value = row.get(name)
        return value[:255] if isinstance(value, str) else ""

    def number(name: str, most: float, default: float = 0.0) -> float:
        value = row.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most:
            return float(value)
        return default

    pid, started = int(number("pid", 2**31 - 1)), number("started", 1e11)
    return LeaseText(
        Holder(text("host") or None, pid or None, started or None),
        session=int(number("session", _MOST_SESSION)),
        token=text("token"),
        seconds=number("seconds", 3600.0, _USUAL) or _USUAL,
        system=text("system"),
        born=text("born"),
        beat=int(number("beat", 2**53)),
        free=row.get("free") is True,
    )
