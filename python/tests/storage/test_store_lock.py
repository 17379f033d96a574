from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import time

import numpy as np
import pytest
from holding import start

from rekindle._format.snapshot import Snapshot
from rekindle._repository.repository import Repository
from rekindle._storage.local.storage import LocalStorage
from rekindle.errors import ForeignFileError, LockError, RestoreError, SaveError


class TestTheSecondRun:
    def test_it_is_told_who_holds_the_folder_and_touches_nothing(self, home, holder):
        before = {path: path.read_bytes() for path in home.iterdir()}
        began = time.time()
        with pytest.raises(LockError) as info:
            Repository(LocalStorage(str(home)), "1").open()
        error = info.value
        assert error.directory == str(home)
        assert error.host == socket.gethostname()
        assert error.pid == holder.pid
        assert began - 60 < error.started <= time.time()
        who = f"process {holder.pid} on {socket.gethostname()!r}"
        assert f"is locked by {who}, since " in str(error)
        assert "give this run a folder of its own" in str(error)
        assert {path: path.read_bytes() for path in home.iterdir()} == before

    def test_in_the_same_process_it_is_told_so(self, folder, home):
        with pytest.raises(LockError, match="another run in this process, since "):
            Repository(LocalStorage(str(home)), "1").open()

    def test_one_that_is_already_running_gets_a_failed_save(self, folder, home, snapshot):
        (home / ".lock").unlink()
        other = Repository(LocalStorage(str(home)), "1")
        other.open()
        with pytest.raises(SaveError, match="locked by another run in this process") as info:
            folder.commit(snapshot(1))
        assert isinstance(info.value.__cause__, LockError)
        other.close()
        # The other run has ended, so the next save takes the lock again.
        assert folder.commit(snapshot(1)).number == 1


class TestTheHolderDies:
    def test_killed_it_holds_nothing(self, home, holder):
        holder.kill()
        holder.wait()
        folder = Repository(LocalStorage(str(home)), "1")
        folder.open()
        folder.close()

    def test_a_name_that_it_left_behind_is_not_told_of(self, home, holder, monkeypatch):
        monkeypatch.setattr("rekindle._storage.local.lock._PATIENCE", 0.05)
        text = json.loads((home / ".lock").read_text())
        gone = start("pass")
        gone.wait()
        gone.stdout.close()
        text["pid"] = gone.pid
        (home / ".lock").write_text(json.dumps(text, separators=(",", ":")).ljust(511) + "\n")
        with pytest.raises(LockError, match=r"is locked by another run\. Two") as info:
            Repository(LocalStorage(str(home)), "1").open()
        assert info.value.pid is None


class TestChildren:
    def fork(self, work) -> int:
        context = multiprocessing.get_context("fork")
        child = context.Process(target=work)
        child.start()
        child.join()
        return child.exitcode

    def test_a_forked_child_does_not_hold_the_folder(self, folder, snapshot):
        def work():
            with pytest.raises(SaveError) as info:
                folder.commit(snapshot(1))
            os._exit(7 if isinstance(info.value.__cause__, LockError) else 1)

        assert self.fork(work) == 7
        assert folder.numbers == []
        folder.commit(snapshot(2))

    def test_a_fork_that_python_does_not_know_of_does_not_hold_it_either(self, folder, snapshot):
        """R's mclapply forks like this: no Python hook runs in the child."""
        lock = folder.storage._lock
        fd = lock._fd

        def work():
            lock._fd, lock._pid = fd, os.getppid()
            os._exit(7 if not lock.is_held else 1)

        assert self.fork(work) == 7

    def test_a_child_that_lives_on_does_not_keep_the_lock(self, home):
        code = """
            import os, sys, time
            from rekindle._repository.repository import Repository
            from rekindle._storage.local.storage import LocalStorage
            folder = Repository(LocalStorage(sys.argv[1]), "1")
            folder.open()
            if os.fork() == 0:
                time.sleep(600)
                os._exit(0)
            print("held", flush=True)
            time.sleep(600)
        """
        process = start(code, home, start_new_session=True)
        assert process.stdout.readline() == "held\n"
        process.kill()
        process.wait()
        try:
            folder = Repository(LocalStorage(str(home)), "1")
            folder.open()
            folder.close()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.stdout.close()

    def test_a_spawned_child_does_not_inherit_the_lock(self, folder, home):
        process = start("import time; print('up', flush=True); time.sleep(600)", close_fds=False)
        assert process.stdout.readline() == "up\n"
        folder.close()
        again = Repository(LocalStorage(str(home)), "1")
        again.open()
        again.close()
        process.kill()
        process.wait()
        process.stdout.close()


class TestAnotherUser:
    @pytest.fixture(autouse=True)
    def _root_only(self):
        if os.geteuid() != 0:
            pytest.skip("only root can be two users")

    def as_nobody(self, work) -> None:
        child = os.fork()
        if child == 0:
            os.setgid(65534)
            os.setuid(65534)
            try:
                work()
            except BaseException:  # noqa: BLE001  (the exit status says it)
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    @pytest.fixture
    def shared(self):
        import shutil
        import tempfile

        path = tempfile.mkdtemp(dir="/tmp")
        os.chmod(path, 0o777)
        yield path
        shutil.rmtree(path)

    def test_a_folder_of_theirs_that_we_may_write_to_is_locked_like_ours(self, shared, snapshot):
        folder = Repository(LocalStorage(shared), "1")
        folder.commit(snapshot(1))
        os.chmod(os.path.join(shared, ".lock"), 0o644)

        def refused():
            with pytest.raises(LockError) as info:
                Repository(LocalStorage(shared), "1").open()
            assert info.value.pid == os.getppid()

        def taken():
            theirs = Repository(LocalStorage(shared), "1")
            assert theirs.newest().manifest.number == 1
            assert theirs.commit(snapshot(2)).number == 2

        self.as_nobody(refused)
        folder.close()
        self.as_nobody(taken)

    def test_one_that_we_may_not_write_to_gives_a_clear_error(self, shared, snapshot):
        os.chmod(shared, 0o755)

        def work():
            with pytest.raises(RestoreError, match="cannot be opened: Permission denied"):
                Repository(LocalStorage(shared), "1").open()

        self.as_nobody(work)


class TestTheFile:
    @pytest.mark.parametrize("text", [b"", bytes(512), b'{"rekindle', b'{"rekindle_lock":1,"pi'])
    def test_what_a_power_cut_left_of_it_is_no_hindrance(self, home, text):
        home.mkdir()
        (home / ".lock").write_bytes(text)
        folder = Repository(LocalStorage(str(home)), "1")
        folder.open()
        assert json.loads((home / ".lock").read_text())["pid"] == os.getpid()
        folder.close()

    def test_one_that_is_not_ours_is_left_alone(self, home):
        home.mkdir()
        (home / ".lock").write_bytes(b"12345\n")
        with pytest.raises(ForeignFileError, match="is not a lock file of rekindle"):
            Repository(LocalStorage(str(home)), "1").open()
        assert (home / ".lock").read_bytes() == b"12345\n"

    @pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("x", path)])
    def test_anything_but_a_file_is_refused_at_once(self, home, make):
        home.mkdir()
        make(home / ".lock")
        with pytest.raises(ForeignFileError, match="is not a lock file of rekindle"):
            Repository(LocalStorage(str(home)), "1").open()

    def test_a_folder_that_vanishes_meanwhile_is_made_again(self, folder, home, snapshot):
        folder.commit(snapshot(1))
        for path in home.iterdir():
            path.unlink()
        home.rmdir()
        folder.commit(Snapshot({"x": np.ones(3)}))
        assert folder.numbers == [1]
