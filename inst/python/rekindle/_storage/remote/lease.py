"""One writer per prefix: a lease, which its holder renews while it lives.

An object store has no locks. The object `.lock` names the holder, and counts its beats: each is
written in place of the version that the holder wrote before, so only one writer can go on. A lease
that did not change for as long as it lasts, by the clock of the process that waits, is taken over.

A process that was stopped may not know that it lost its lease. So the lease is renewed before each
commit, and the name of each pack has the number of the session, which grows with each holder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import threading

from rekindle._format import layout
from rekindle._storage.remote import clock, heart, lease_text
from rekindle._storage.remote.lease_text import LeaseText
from rekindle._storage.remote.objects import ConflictError, Objects, Tag
from rekindle._storage.remote.refusals import is_certain
from rekindle._storage.remote.watch import Watch, held, is_left
from rekindle.errors import ForeignFileError, LockError

# How often the lease is renewed while it lasts.
_BEATS = 4

# More conflicts in a row than this are no race.
_ATTEMPTS = 20


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
        self._watch = Watch(objects, url)
        self._seconds = lease_text.seconds()
        self._mine: LeaseText | None = None
        self._tag: Tag | None = None
        self._pid = 0
        self._renewed = 0.0
        # One request of this lease at a time: the heart and a commit both renew it.
        self._guard = threading.RLock()
        self._ended = threading.Event()
        self._has_waited = False
        self.session = 0
        self.made = False

    @property
    def watch(self) -> Watch:
        """The lease as others see it."""
        return self._watch

    @property
    def is_held(self) -> bool:
        """Whether this process holds the lease, as far as it knows."""
        return self._mine is not None and self._pid == os.getpid()

    @property
    def is_fresh(self) -> bool:
        """Whether no other process can have taken the lease since it was renewed."""
        return self.is_held and clock.now() - self._renewed < self._seconds

    def acquire(self) -> None:
        """Takes the lease. The first call waits for one that was left by a killed process.

        Raises:
            LockError: Another run holds it.
            ForeignFileError: rekindle did not write the object.
            OSError: The store refused.
        """
        may_wait, self._has_waited = not self._has_waited, True
        for _ in range(_ATTEMPTS):
            found, entry = self._watch.read()
            if found is None or entry is None:
                is_mine = self._take(None, None)
            else:
                is_free = found.is_free() or self._watch.wait(found, entry, may_wait)
                is_mine = is_free and self._take(found, entry.tag)
            if is_mine:
                return
        raise OSError(None, "other runs keep taking its lock")

    def _take(self, before: LeaseText | None, tag: Tag | None) -> bool:
        """Takes a lease that is free; returns whether no other process was quicker."""
        session = lease_text.next_session(before)
        mine = LeaseText.of_this_process(session, secrets.token_hex(8), self._seconds)
        began, written = clock.now(), None
        held.add(mine.token)
        try:
            written = self._write(mine, tag)
        finally:
            if written is None:
                held.discard(mine.token)
        if written is None:
            return False
        self._mine, self._tag, self._renewed, self._pid = mine, written, began, os.getpid()
        self.session, self.made = session, before is None
        self._ended = threading.Event()
        heart.start(self, self._ended, self._seconds / _BEATS)
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

    # Held

    def confirm(self) -> None:
        """Renews the lease if its last renewal is not fresh: before anything is changed.

        Raises:
            LockError: Another run has taken it.
            OSError: The store refused.
        """
        if clock.now() - self._renewed > self._seconds / 2:
            self.renew()

    def renew(self) -> None:
        """Renews the lease. If this succeeds, no other run had it in between.

        Raises:
            LockError: Another run has taken it.
            OSError: The store refused.
        """
        # Not under the guard: a thread that a forked child does not have may hold it there.
        if not self.is_held:
            raise self._lost()
        with self._guard:
            for _ in range(_ATTEMPTS):
                mine, tag = self._mine, self._tag
                if mine is None or tag is None:
                    raise self._lost()
                began, following = clock.now(), mine.next_beat()
                written = self._write(following, tag)
                if written is not None:
                    self._mine, self._tag, self._renewed = following, written, began
                    return
                if not self._catch_up(mine):
                    self._let_go()
                    raise self._lost()
        raise OSError(errno.EBUSY, "the store keeps answering that another request is under way")

    def _catch_up(self, mine: LeaseText) -> bool:
        """Whether the lease is ours after a conflict: a beat came late, or had no answer."""
        try:
            there, entry = self._watch.read()
        except ForeignFileError:
            return False
        if there is None or entry is None or there.free or there.token != mine.token:
            return False
        self._mine, self._tag = there, entry.tag
        return True

    def _let_go(self) -> None:
        if self._mine is not None:
            held.discard(self._mine.token)
        self._mine = None
        self._ended.set()

    def _lost(self) -> LockError:
        found = None
        with contextlib.suppress(OSError, ForeignFileError):
            found, _ = self._watch.read()
        if found is not None and not found.is_free() and not is_left(found):
            return self._watch.refusal(found, None)
        return LockError(
            f"This run has lost its lock of {self._url!r}: for a while it could not renew it, and"
            " another run was there, or the lock was removed. Nothing was written.",
            directory=self._url,
            host=None,
            pid=None,
            started=None,
        )

    def release(self, *, remove: bool = False) -> None:
        """Gives the lease up; with `remove`, removes the object. Ignores errors of the store."""
        if not self.is_held:
            return
        with self._guard:
            self._ended.set()
            self._has_waited = False
            try:
                with contextlib.suppress(OSError, LockError):
                    if remove:
                        # While it is held and fresh: given up first, it could be another run's.
                        self.renew()
                        self._objects.delete(layout.LOCK)
                        return
                self._give_back()
            finally:
                self._let_go()

    def _give_back(self) -> None:
        mine, tag = self._mine, self._tag
        if mine is None or tag is None:
            return
        with contextlib.suppress(OSError):
            # In place of our own version only: another run may have it.
            self._objects.replace(layout.LOCK, lease_text.encode(mine.freed()), tag)
