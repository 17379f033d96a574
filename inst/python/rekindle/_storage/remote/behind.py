"""Small objects that are written behind the caller, which never waits for the store.

Nothing depends on them: what was not sent yet when the process was killed is lost.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref

from rekindle._storage.remote.clock import now
from rekindle._storage.remote.objects import Objects

# Seconds between two requests for one object: few right after a checkpoint, so that a run killed
# soon leaves something; then fewer, because each request costs money.
_FIRST, _MOST = 0.5, 30.0


class _Pending:
    """The content of one object, and when to send it."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.is_changed = True
        self.pause = _FIRST
        self.due = 0.0


class Behind:
    """Sends the newest content of some objects, on a thread of its own.

    Args:
        objects: The objects of the prefix.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._pending: dict[str, _Pending] = {}
        self._guard = threading.Condition()
        # Held while an object is sent: an older content must not arrive after a newer one.
        self._sending = threading.Lock()
        self._pid = 0
        self._is_ended = False

    def put(self, name: str, data: bytes) -> None:
        """Gives an object this content."""
        with self._guard:
            self._forget_parent()
            self._pending[name] = _Pending(data)
            self._wake()

    def open(self, name: str) -> InPlace | None:
        """The object, for writes in place; ``None`` if no content of it is known here."""
        with self._guard:
            return InPlace(self, name) if name in self._pending else None

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Changes a part of the content."""
        with self._guard:
            pending = self._pending.get(name)
            if pending is None or self._is_ended:
                return
            pending.data[offset : offset + len(data)] = data
            if not pending.is_changed:
                pending.is_changed = True
                self._wake()

    def hurry(self) -> None:
        """A checkpoint was taken: what comes next is sent sooner."""
        with self._guard:
            for pending in self._pending.values():
                pending.pause = _FIRST
                pending.due = min(pending.due, now() + _FIRST)
            self._guard.notify_all()

    def drop(self, name: str) -> None:
        """Forgets an object, which is about to be removed."""
        with self._guard:
            self._pending.pop(name, None)

    def flush(self) -> None:
        """Sends what was not sent yet, now. Ignores errors of the store."""
        with self._guard:
            self._forget_parent()
            known = list(self._pending)
        for name in known:
            self._send(name)

    def end(self) -> None:
        """Sends what was not sent yet, and forgets all."""
        self.flush()
        with self._guard:
            self._pending.clear()
            self._is_ended = True
            self._guard.notify_all()

    def _forget_parent(self) -> None:
        # A forked child has the content, but not the thread, and is not the writer.
        if self._pid and self._pid != os.getpid():
            self._pending.clear()
            self._pid = 0

    def _wake(self) -> None:
        self._is_ended = False
        if not self._pid:
            self._pid = os.getpid()
            ref = weakref.ref(self)
            threading.Thread(
                target=_run, args=(ref, self._guard), name="rekindle-behind", daemon=True
            ).start()
        self._guard.notify_all()

    def _next(self) -> tuple[str | None, float | None]:
        """The object to send now, or else the seconds until then; both ``None``: nothing."""
        waiting = [(one.due, name) for name, one in self._pending.items() if one.is_changed]
        if not waiting:
            return None, None
        due, name = min(waiting)
        left = due - now()
        return (name, None) if left <= 0 else (None, left)

    def _send(self, name: str) -> None:
        with self._sending:
            with self._guard:
                pending = self._pending.get(name)
                if pending is None or not pending.is_changed:
                    return
                data, pending.is_changed = bytes(pending.data), False
            with contextlib.suppress(OSError):
                self._objects.put(name, data)
            with self._guard:
                pending.due = now() + pending.pause
                pending.pause = min(2 * pending.pause, _MOST)


def _run(ref: weakref.ref[Behind], guard: threading.Condition) -> None:
    while True:
        behind = ref()
        if behind is None:
            return
        with guard:
            name, left = behind._next()
            if behind._is_ended:
                behind._pid = 0
                return
        if name is not None:
            behind._send(name)
            continue
        del behind
        with guard:
            # With a limit: an object that is gone wakes no thread.
            guard.wait(30.0 if left is None else min(left, 30.0))


class InPlace:
    """See :class:`rekindle._storage.protocol.FileInPlace`."""

    def __init__(self, behind: Behind, name: str) -> None:
        self._behind: Behind | None = behind
        self._name = name

    def write(self, offset: int, data: bytes) -> None:
        if self._behind is not None:
            self._behind.write(self._name, offset, data)

    def close(self) -> None:
        self._behind = None
