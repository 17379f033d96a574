"""A folder to look at: its lock says what a test says, and checkpoints of any time."""

from __future__ import annotations

import pytest
from pulses import THEN

from rekindle._format.manifest import Position
from rekindle._format.snapshot import Snapshot
from rekindle._repository.repository import Repository
from rekindle._storage.local.storage import LocalStorage
from rekindle._storage.protocol import Holder, LockStatus


class Lock:
    """The lock of the folder, as the test says it is."""

    def __init__(self, watcher, monkeypatch):
        self.held = True
        self.started = THEN - 1000
        monkeypatch.setattr(watcher._storage, "probe", self)

    def __call__(self):
        holder = None if self.held is False else Holder("here", 42, self.started)
        return LockStatus(self.held, holder)


def commit(home, at, place, *, step=None, state=None, prefix="ckpt"):
    """A checkpoint that was saved so many seconds after `THEN`."""
    folder = Repository(LocalStorage(str(home)), "1.2.3", prefix=prefix)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time", lambda: THEN + at)
        folder.open()
        folder.commit(Snapshot({}, state or {}, Position(step, *place)))
        folder.keep(folder.numbers[-1:])
        folder.close()
