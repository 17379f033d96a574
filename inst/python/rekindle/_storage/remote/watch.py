"""A lease as other processes see it: whose it is, whether it is free, and when it will be."""

from __future__ import annotations

import contextlib
import secrets
import time
from dataclasses import dataclass, field

from rekindle._base import events
from rekindle._format import layout
from rekindle._storage.remote import clock, lease_text
from rekindle._storage.remote.lease_text import LeaseText
from rekindle._storage.remote.objects import Entry, Objects, Tag
from rekindle.errors import LockError

# The tokens of the leases that this process holds, or tries to take. Another lease of this process
# is one that it could not give back, or whose request was not answered.
held: set[str] = set()


def is_left(found: LeaseText) -> bool:
    """Whether the holder was a process of this system and is gone, or was this one and let go."""
    return found.is_of_dead_process() or (found.is_of_this_process() and found.token not in held)


def lives(found: LeaseText) -> bool:
    """Whether the holder is a process of this system that holds it still."""
    return found.is_of_live_process() and not is_left(found)


@dataclass
class _Seen:
    """The version of the lock that was seen last, and since when it did not change."""

    tag: Tag | None = None
    since: float = field(default_factory=lambda: clock.now())


class Watch:
    """Looks at the lease of one prefix.

    Args:
        objects: The objects of the prefix.
        url: The prefix as messages name it.
    """

    def __init__(self, objects: Objects, url: str) -> None:
        self._objects = objects
        self._url = url
        self._seen = _Seen()

    def read(self) -> tuple[LeaseText | None, Entry | None]:
        try:
            data, entry = self._objects.get(layout.LOCK, lease_text.MOST_BYTES)
        except FileNotFoundError:
            return None, None
        return lease_text.decode(data, self._objects.where(layout.LOCK)), entry

    def wait(self, found: LeaseText, entry: Entry, may_wait: bool) -> bool:
        """Whether the holder is gone: it is dead, or did not renew its lease in time.

        Raises:
            LockError: The holder lives, or may live and this call must not wait.
        """
        if is_left(found):
            return True
        self._look(entry.tag)
        lasts, told = found.seconds + lease_text.MARGIN, False
        if not lives(found) and self._is_old(entry, 2 * lasts):
            return True
        while (left := self._seen.since + lasts - clock.now()) > 0:
            if not may_wait or lives(found):
                raise self.refusal(found, left)
            if not told:
                told = True
                self._tell(found, left)
            time.sleep(min(left, 1.0, found.seconds / 10))
            there, newer = self.read()
            if there is None or newer is None or there.is_free():
                return False
            if newer.tag != entry.tag:
                raise self.refusal(there, None)
        return True

    def _is_old(self, entry: Entry, seconds: float) -> bool:
        """Whether the lock has not changed for so long, by the clock of the store alone."""
        name = layout.temporary_name(layout.LOCK)
        with contextlib.suppress(OSError):
            self._objects.put(name, secrets.token_bytes(8))
            probe = self._objects.head(name)
            self._objects.delete(name)
            return probe is not None and probe.modified - entry.modified > seconds
        return False

    def _tell(self, found: LeaseText, left: float) -> None:
        events.tell(
            "waiting",
            f"{self._url} is locked by {found.name()}. If that process was killed, its lock ends"
            f" in {left:.0f} s. Waiting.",
            directory=self._url,
            seconds=left,
        )

    def _look(self, tag: Tag) -> None:
        if self._seen.tag != tag:
            self._seen = _Seen(tag)

    def refusal(self, found: LeaseText, left: float | None) -> LockError:
        holder = found.holder
        when = (
            "It was at work just now."
            if left is None
            else f"If that process was killed, its lock ends in {left:.0f} s."
        )
        return LockError(
            f"The backup {self._url!r} is locked by {found.name()}. {when} Two runs cannot share"
            " one place: wait until that run ends, stop it, or give this run a place of its own.",
            directory=self._url,
            host=holder.host,
            pid=holder.pid,
            started=holder.started,
        )

    def look(self) -> tuple[LeaseText | None, float, float]:
        """The lease as others see it: its text, for how long it did not change, and its age.

        The age is by the clocks of the store and of this machine, which may differ.
        """
        found, entry = self.read()
        if entry is None:
            return None, 0.0, 0.0
        self._look(entry.tag)
        return found, clock.now() - self._seen.since, time.time() - entry.modified
