"""One writer per prefix: a lease, which its holder renews while it lives.

An object store has no locks. The object `.lock` names the holder, and counts its beats: each is
written in place of the version that the holder wrote before, so only one writer can go on. A lease
that did not change for as long as it lasts, by the clock of the process that waits, is taken over.

A process that was stopped may not know that it lost its lease. So the lease is renewed before each
commit, and the name of each pack has the number of the session, which grows with each holder.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
import weakref
from dataclasses import dataclass, field

from rekindle._base import events
from rekindle._format import layout
from rekindle._storage.protocol import Holder
from rekindle._storage.remote import lease_text
from rekindle._storage.remote.clock import now
from rekindle._storage.remote.lease_text import LeaseText
from rekindle._storage.remote.objects import ConflictError, Entry, Objects, Tag
from rekindle._storage.remote.refusals import is_certain
from rekindle.errors import LockError

# How often the lease is renewed while it lasts.
_BEATS = 4

# More conflicts in a row than this are no race.
_ATTEMPTS = 20


@dataclass
class _Seen:
    """The version of the lock that was seen last, and since when it did not change."""

    tag: Tag | None = None
    since: float = field(default_factory=now)


class Lease:
    """The lease of one prefix, held from :meth:`acquire` to :meth:`release`.

    Args:
        objects: The objects of the prefix.
        url: The prefix as messages name it.

    Attributes:
        session: The number of the holder's turn; 0 before the first :meth:`acquire`.
        made: Whether :meth:`acquire` made the object.
    """

    def __init__(self, objects: Objects, url: str) -> None:
        self._objects = objects
        self._url = url
        self._seconds = lease_text.seconds()
        self._mine: LeaseText | None = None
        self._tag: Tag | None = None
        self._pid = 0
        self._renewed = 0.0
        self._seen = _Seen()
        # One request of this lease at a time: the heart and a commit both renew it.
        self._guard = threading.RLock()
        self._ended = threading.Event()
        self._has_waited = False
        self.session = 0
        self.made = False

    @property
    def is_held(self) -> bool:
        """Whether this process holds the lease, as far as it knows."""
        return self._mine is not None and self._pid == os.getpid()

    @property
    def holder(self) -> Holder:
        """The process that holds the lease: this one."""
        return Holder() if self._mine is None else self._mine.holder

    def acquire(self) -> None:
        """Takes the lease. The first call waits for one that was left by a killed process.

        Raises:
            LockError: Another run holds it.
            ForeignFileError: rekindle did not write the object.
            OSError: The store refused.
        """
        may_wait, self._has_waited = not self._has_waited, True
        for _ in range(_ATTEMPTS):
            found, entry = self._read()
            if found is None or entry is None:
                if self._take(None, None):
                    return
            elif (found.is_free() or self._wait(found, entry, may_wait=may_wait)) and self._take(
                found, entry.tag
            ):
                return
        raise OSError(None, "other runs keep taking its lock")

    def _read(self) -> tuple[LeaseText | None, Entry | None]:
        try:
            data, entry = self._objects.get(layout.LOCK, lease_text.MOST_BYTES)
        except FileNotFoundError:
            return None, None
        return lease_text.decode(data, self._objects.where(layout.LOCK)), entry

    def _take(self, before: LeaseText | None, tag: Tag | None) -> bool:
        """Takes a lease that is free; returns whether no other process was quicker."""
        session = max(int(time.time()), 0 if before is None else before.session + 1)
        mine = LeaseText.of_this_process(session, secrets.token_hex(8), self._seconds)
        began = now()
        written = self._write(mine, tag)
        if written is None:
            return False
        self._mine, self._tag, self._renewed, self._pid = mine, written, began, os.getpid()
        self.session, self.made = session, before is None
        self._ended = threading.Event()
        _start_heart(self, self._ended, self._seconds / _BEATS)
        return True

    def _write(self, text: LeaseText, tag: Tag | None) -> Tag | None:
        """Writes the object in place of this version; ``None`` if another process was quicker."""
        data = lease_text.encode(text)
        try:
            if tag is None:
                return self._objects.create(layout.LOCK, data)
            return self._objects.replace(layout.LOCK, data, tag)
        except OSError as error:
            if is_certain(error):
                raise
            # The object may be ours all the same: the answer to our own request was lost.
            with contextlib.suppress(FileNotFoundError):
                there, entry = self._objects.get(layout.LOCK, lease_text.MOST_BYTES)
                if there == data:
                    return entry.tag
            if isinstance(error, ConflictError):
                return None
            raise

    def _wait(self, found: LeaseText, entry: Entry, *, may_wait: bool) -> bool:
        """Whether the holder is gone: it is dead, or did not renew its lease in time.

        Raises:
            LockError: The holder lives, or may live and this call must not wait.
        """
        if found.is_of_dead_process():
            return True
        self._look(entry.tag)
        lasts, told = found.seconds + lease_text.MARGIN, False
        if not found.is_of_live_process() and self._is_old(entry, 2 * lasts):
            return True
        while (left := self._seen.since + lasts - now()) > 0:
            if not may_wait or found.is_of_live_process():
                raise self._refusal(found, left)
            if not told:
                told = True
                self._tell(found, left)
            time.sleep(min(left, 1.0, found.seconds / 10))
            there, newer = self._read()
            if there is None or newer is None or there.is_free():
                return False
            if newer.tag != entry.tag:
                raise self._refusal(there, None)
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

    def _refusal(self, found: LeaseText, left: float | None) -> LockError:
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

    # Held

    def confirm(self) -> None:
        """Renews the lease if its last renewal is not fresh: before anything is changed.

        Raises:
            LockError: Another run has taken it.
            OSError: The store refused.
        """
        if now() - self._renewed > self._seconds / 2:
            self.renew()

    def renew(self) -> None:
        """Renews the lease. If this succeeds, no other run had it in between.

        Raises:
            LockError: Another run has taken it.
            OSError: The store refused.
        """
        with self._guard:
            mine, tag = self._mine, self._tag
            if mine is None or tag is None or self._pid != os.getpid():
                raise self._lost()
            began, following = now(), mine.next_beat()
            written = self._write(following, tag)
            if written is None:
                self._mine = None
                self._ended.set()
                raise self._lost()
            self._mine, self._tag, self._renewed = following, written, began

    def _lost(self) -> LockError:
        found = None
        with contextlib.suppress(OSError):
            found, _ = self._read()
        if found is not None and not found.is_free():
            return self._refusal(found, None)
        return LockError(
            f"This run has lost its lock of {self._url!r}: for a while it could not renew it, and"
            " another run was there. Nothing was written.",
            directory=self._url,
            host=None,
            pid=None,
            started=None,
        )

    def release(self, *, remove: bool = False) -> None:
        """Gives the lease up; with `remove`, removes the object. Ignores errors of the store."""
        with self._guard:
            mine, tag, self._mine = self._mine, self._tag, None
            self._ended.set()
            if mine is None or tag is None or self._pid != os.getpid():
                return
            self._has_waited = False
            with contextlib.suppress(OSError):
                # In place of our own version only: another run may have it.
                self._objects.replace(layout.LOCK, lease_text.encode(mine.freed()), tag)
                if remove:
                    self._objects.delete(layout.LOCK)

    def look(self) -> tuple[LeaseText | None, float, float]:
        """The lease as others see it: its text, for how long it did not change, and its age.

        The age is by the clocks of the store and of this machine, which may differ.
        """
        found, entry = self._read()
        if entry is None:
            return None, 0.0, 0.0
        self._look(entry.tag)
        return found, now() - self._seen.since, time.time() - entry.modified


def _start_heart(lease: Lease, ended: threading.Event, seconds: float) -> None:
    # The thread must not keep a lease alive that is not used any more.
    ref = weakref.ref(lease, lambda _: ended.set())
    threading.Thread(
        target=_beat, args=(ref, ended, seconds), name="rekindle-lease", daemon=True
    ).start()


def _beat(ref: weakref.ref[Lease], ended: threading.Event, seconds: float) -> None:
    while not ended.wait(seconds):
        lease = ref()
        if lease is None or not lease.is_held:
            return
        # A commit finds out that the lease is lost, and reports it.
        with contextlib.suppress(OSError, LockError):
            lease.renew()
        del lease
