"""Small objects that are written behind the caller, which never waits for the store.

Nothing depends on them: what was not sent yet when the process was killed is lost. In a forked
child nothing is sent, and no lock is taken: a thread that does not exist there may hold it.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable

from rekindle._storage.remote import calls, clock
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
        may_send: Whether no other process can be the writer by now.
    """

    def __init__(self, objects: Objects, may_send: Callable[[], bool]) -> None:
        self._objects = objects
        self._may_send = may_send
        self._pending: dict[str, _Pending] = {}
        # One at a time: older bytes must not come after newer ones, nor after a flush.
        self._sending = threading.Lock()
        self._guard = threading.Condition()
        self._has_thread = False
        self._is_ended = False

    def put(self, name: str, data: bytes) -> None:
        """Gives an object this content."""
        if calls.is_forked():
            return
        with self._guard:
            self._pending[name] = _Pending(data)
            self._wake()

    def open(self, name: str) -> InPlace | None:
        """The object, for writes in place; ``None`` if no content of it is known here."""
        if calls.is_forked():
            return InPlace(self, name)
        with self._guard:
            return InPlace(self, name) if name in self._pending else None

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Changes a part of the content."""
        if calls.is_forked():
            return
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
        if calls.is_forked():
            return
        with self._guard:
            for pending in self._pending.values():
                pending.pause = _FIRST
                pending.due = min(pending.due, clock.now() + _FIRST)
            self._guard.notify_all()

    def drop(self, name: str) -> None:
        """Forgets an object, which is about to be removed."""
        if calls.is_forked():
            return
        with self._guard:
            was_known = self._pending.pop(name, None) is not None
        if was_known:
            # What is being sent must not arrive after the removal.
            with self._sending:
                pass

    def flush(self) -> None:
        """Sends what was not sent yet, now. Ignores errors of the store."""
        if calls.is_forked():
            return
        with self._guard:
            left = list(self._pending)
        for name in left:
            if not self._send(name):
                # The others would wait as long for a store that does not answer.
                return

    def end(self) -> None:
        """Sends what was not sent yet, and forgets all."""
        if calls.is_forked():
            return
        self.flush()
        with self._guard:
            self._pending.clear()
            self._is_ended = True
            self._guard.notify_all()

    def _wake(self) -> None:
        self._is_ended = False
        if not self._has_thread:
            self._has_thread = True
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
        left = due - clock.now()
        return (name, None) if left <= 0 else (None, left)

    def _send(self, name: str) -> bool:
        """Sends an object. Returns whether the store answered."""
        with self._sending:
            return self._send_now(name)

    def _send_now(self, name: str) -> bool:
        with self._guard:
            pending = self._pending.get(name)
            if pending is None or not pending.is_changed:
                return True
            data, pending.is_changed = bytes(pending.data), False
        is_sent = False
        # A process that was stopped for long must not write over what the next writer wrote.
        if self._may_send():
            with contextlib.suppress(OSError):
                self._objects.put(name, data)
                is_sent = True
        with self._guard:
            pending.is_changed |= not is_sent
            pending.due = clock.now() + pending.pause
            pending.pause = min(2 * pending.pause, _MOST)
        return is_sent


def _run(ref: weakref.ref[Behind], guard: threading.Condition) -> None:
    while True:
        behind = ref()
        if behind is None:
            return
        with guard:
            name, left = behind._next()
            if behind._is_ended:
                behind._has_thread = False
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
