"""The commit of a manifest to an object store: one conditional request."""

from __future__ import annotations

import contextlib
import errno

from rekindle._storage.remote.lease import Lease
from rekindle._storage.remote.objects import ConflictError, Objects, Tag
from rekindle._storage.remote.refusals import is_certain
from rekindle.errors import LockError

# More conflicts in a row than this are no race.
_ATTEMPTS = 5

_MOST = 1 << 28


class RemoteStaging:
    """See :class:`rekindle._storage.protocol.Staging`.

    Args:
        objects: The objects of the prefix.
        lease: The lease of the prefix.
        name: The object to write.
        unsure: What this program tried to write under the name, without an answer.
    """

    def __init__(self, objects: Objects, lease: Lease, name: str, unsure: set[bytes]) -> None:
        self._objects = objects
        self._lease = lease
        self._name = name
        self._unsure = unsure
        self._data = b""
        self._is_published = False
        self.may_be_published = False

    def write(self, data: bytes) -> None:
        # The packs are durable: their uploads were answered.
        self._data = data

    def publish(self) -> None:
        """Writes the manifest, if no other program has written it since the lease was renewed."""
        self._lease.renew()
        entry = self._objects.head(self._name)
        self.may_be_published = True
        tag = None if entry is None else entry.tag
        for _ in range(_ATTEMPTS):
            try:
                self._put(tag)
            except OSError as error:
                written, tag = self._look(error)
                if not written:
                    continue
            self._is_published = True
            self._unsure.clear()
            return
        raise OSError(errno.EBUSY, "the store keeps answering that another request is under way")

    def _put(self, tag: Tag | None) -> None:
        if tag is None:
            self._objects.create(self._name, self._data)
        else:
            self._objects.replace(self._name, self._data, tag)

    def _look(self, error: OSError) -> tuple[bool, Tag | None]:
        """Whether the object has our bytes, after a conflict or an unknown end; and its version.

        "It exists already" is no answer: it may be ours, if the answer to our own request was lost.
        """
        is_conflict, is_refusal = isinstance(error, ConflictError), is_certain(error)
        if not is_conflict and not is_refusal:
            self._unsure.add(self._data)
        try:
            found, entry = self._objects.get(self._name, _MOST)
        except FileNotFoundError:
            if is_conflict:
                return False, None
            self.may_be_published = not is_refusal
            raise error from None
        except OSError:
            raise error from None
        if found == self._data:
            return True, None
        if not is_conflict:
            # A refusal alone says little: it may be of a second try, after a lost reply.
            self.may_be_published = not is_refusal
            raise error
        if found in self._unsure:
            return False, entry.tag
        self.may_be_published = False
        raise LockError(
            f"Another run has written {self._objects.where(self._name)!r}, although this run has"
            " the lock. Nothing was changed.",
            directory=self._objects.where(""),
            host=None,
            pid=None,
            started=None,
        )

    def acknowledge(self) -> None:
        """Makes sure that the lease was ours until the manifest was there.

        Raises:
            LockError: This process was stopped in between, and another run has the lease. The
                manifest is removed again.
        """
        try:
            self._lease.confirm()
        except LockError:
            self._withdraw()
            raise

    def _withdraw(self) -> None:
        with contextlib.suppress(OSError):
            found, _ = self._objects.get(self._name, _MOST)
            if found == self._data:
                self._objects.delete(self._name)

    def abandon(self) -> None:
        if not self._is_published:
            self._data = b""
