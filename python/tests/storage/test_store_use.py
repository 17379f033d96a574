"""Without the lock, a reader can see which process holds a folder."""

from __future__ import annotations

import json
import os
import socket
import sys

import pytest

from rekindle._repository.repository import Repository
from rekindle._storage.local import lock_probe
from rekindle._storage.local.storage import LocalStorage
from rekindle._storage.protocol import LockStatus

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="/proc/locks is Linux'")


def rewrite(home, **changes):
    """Makes the lock file name another process."""
    path = home / ".lock"
    row = json.loads(path.read_text()) | changes
    text = (
        '{"rekindle_lock":1,'
        + json.dumps({k: v for k, v in row.items() if k != "rekindle_lock"})[1:]
    )
    path.write_text(text.ljust(511) + "\n")


def test_a_folder_that_is_not_there_is_held_by_nobody(home):
    assert lock_probe.look(str(home)) == LockStatus(False, None)


@linux_only
def test_a_run_in_another_process_is_named(home, holder):
    found = lock_probe.look(str(home))
    assert found.held is True
    assert (found.holder.pid, found.holder.host) == (holder.pid, socket.gethostname())
    assert found.holder.started is not None
    assert not found.is_here


@linux_only
def test_this_process_knows_itself(home, folder):
    assert lock_probe.look(str(home)).is_here


@linux_only
def test_a_run_that_was_killed_holds_nothing(home, holder):
    holder.kill()
    holder.wait()
    assert lock_probe.look(str(home)) == LockStatus(False, None)


def test_a_closed_folder_is_free(home, folder):
    folder.close()
    assert lock_probe.look(str(home)) == LockStatus(False, None)


@linux_only
def test_a_holder_that_has_not_yet_written_its_name_is_known_by_its_process(home, holder):
    rewrite(home, pid=1)
    found = lock_probe.look(str(home))
    assert found.held is True
    assert found.holder.pid == holder.pid
    assert found.holder.started is None


def test_of_a_holder_on_another_host_it_cannot_be_told(home, folder):
    folder.close()
    rewrite(home, host="elsewhere", pid=4242)
    found = lock_probe.look(str(home))
    assert found.held is None
    assert (found.holder.host, found.holder.pid) == ("elsewhere", 4242)


def test_without_the_table_of_locks_a_living_process_may_hold_it(home, holder, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    found = lock_probe.look(str(home))
    assert found.held is None
    assert found.holder.pid == holder.pid


def test_without_the_table_of_locks_a_dead_process_holds_nothing(home, holder, monkeypatch):
    holder.kill()
    holder.wait()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert lock_probe.look(str(home)) == LockStatus(False, None)


def test_of_a_lock_file_that_may_not_be_read_it_cannot_be_told(home, folder, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("rekindle._storage.local.fs.open_regular", refuse)
    assert lock_probe.look(str(home)) == LockStatus(None, None)


def test_somebody_elses_lock_file_is_no_lock(home):
    home.mkdir()
    (home / ".lock").write_text("not ours")
    assert lock_probe.look(str(home)) == LockStatus(False, None)


def test_a_look_never_refuses_a_run(home, folder, monkeypatch):
    import fcntl

    folder.close()
    monkeypatch.setattr(fcntl, "flock", lambda *_: pytest.fail("the lock was tried"))
    monkeypatch.setattr(fcntl, "lockf", lambda *_: pytest.fail("the lock was tried"))
    before = os.stat(home / ".lock")
    lock_probe.look(str(home))
    after = os.stat(home / ".lock")
    assert (before.st_mtime_ns, before.st_ctime_ns) == (after.st_mtime_ns, after.st_ctime_ns)


@linux_only
def test_a_lock_on_a_copy_of_the_file_is_not_taken_for_one_on_it(home, holder, tmp_path):
    other = tmp_path / "other"
    Repository(LocalStorage(str(other)), "1").open()
    rewrite(other, pid=holder.pid)
    (other / ".lock").unlink()
    (other / ".lock").write_bytes((home / ".lock").read_bytes())
    assert lock_probe.look(str(other)).held is False
