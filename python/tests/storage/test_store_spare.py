"""Packs that are written over the file of a pack that no checkpoint needs any more."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from rekindle._format import layout
from rekindle._format.snapshot import Snapshot
from rekindle._repository.repository import Repository
from rekindle._storage.local import page_cache, recycle
from rekindle._storage.local.storage import LocalStorage

pytestmark = pytest.mark.skipif(
    not recycle.CAN_TELL_OPEN_FILES, reason="only Linux tells who has a file open"
)


@pytest.fixture(autouse=True)
def _as_if_large(monkeypatch):
    monkeypatch.setattr(recycle, "_LEAST", 0)
    monkeypatch.setattr(layout, "LARGE_PACK", 0)


def save(folder: Repository, value: int, size: int = 5000) -> str:
    """Saves an array of this value, keeps only that checkpoint, and returns its pack's path."""
    manifest = folder.commit(Snapshot({"kernel": np.full(size, value, np.uint8)}))
    folder.keep(folder.numbers[-1:])
    return os.path.join(folder.storage.url, *manifest.packs)


def inode(path) -> int:
    return os.stat(path).st_ino


def temporary(folder: Repository) -> list[str]:
    return [name for name in os.listdir(folder.storage.url) if name.endswith(".tmp")]


def values(folder: Repository) -> np.ndarray:
    return folder.newest().arrays["kernel"]


@pytest.mark.parametrize("past_cache", [False, True])
def test_from_the_third_save_on_the_packs_take_turns_in_two_files(home, past_cache):
    folder = Repository(LocalStorage(str(home), past_cache=past_cache), "1.2.3")
    # The sizes are shorter and longer than the old packs, with and without whole blocks.
    sizes = [5000, 40960, 12288, 4096, 9000, 45056]
    inodes = [inode(save(folder, value, size)) for value, size in enumerate(sizes)]
    assert inodes == inodes[:2] * 3
    assert (values(folder) == 5).all()
    assert len(values(folder)) == sizes[-1]
    folder.close()
    assert temporary(folder) == []


@pytest.mark.parametrize("past_cache", [False, True])
@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(0, 9000), min_size=3, max_size=8))
def test_a_pack_has_its_own_size_and_bytes_whatever_it_was_written_over(
    sizes, tmp_path_factory, past_cache
):
    home = str(tmp_path_factory.mktemp("spare") / "backup")
    folder = Repository(LocalStorage(home, past_cache=past_cache), "1.2.3")
    for value, size in enumerate(sizes):
        path = save(folder, value, size)
        assert os.path.getsize(path) == folder.manifests[-1].packs[os.path.basename(path)].size
        with safe_open(path, "numpy") as file:
            assert (file.get_tensor("kernel") == np.full(size, value, np.uint8)).all()
        assert len(temporary(folder)) <= 1
    folder.close()


def test_the_pack_that_is_read_back_is_kept_too(home, monkeypatch):
    began, told = threading.Event(), threading.Event()

    def read_slowly(*_: object) -> int:
        began.set()
        told.wait()
        time.sleep(0.5)
        return 0

    monkeypatch.setattr(page_cache, "_madvise", lambda: read_slowly)
    folder = Repository(LocalStorage(str(home), past_cache=True), "1.2.3")
    save(folder, 1)
    reader = threading.Thread(target=folder.read_back, args=(told.is_set,))
    reader.start()
    began.wait()
    told.set()
    save(folder, 2)
    reader.join()
    assert len(temporary(folder)) == 1


def test_small_packs_are_not_kept(folder, monkeypatch):
    monkeypatch.setattr(recycle, "_LEAST", 1 << 20)
    save(folder, 1)
    save(folder, 2)
    assert temporary(folder) == []


def test_a_small_pack_is_not_written_beside_a_spare_that_stays(folder, monkeypatch):
    save(folder, 1)
    save(folder, 2)
    assert len(temporary(folder)) == 1
    monkeypatch.setattr(recycle, "_LEAST", 1 << 20)
    save(folder, 3)
    assert temporary(folder) == []


@pytest.mark.parametrize("end", [Repository.close, Repository.clear])
def test_nothing_of_it_is_left_when_the_run_ends(folder, end):
    save(folder, 1)
    save(folder, 2)
    assert len(temporary(folder)) == 1
    end(folder)
    assert not os.path.exists(folder.storage.url) or temporary(folder) == []


def test_the_next_run_clears_away_that_of_a_dead_one(folder):
    save(folder, 1)
    save(folder, 2)
    (left,) = temporary(folder)
    folder.storage._lock.release()
    other = Repository(LocalStorage(folder.storage.url), "1.2.3")
    save(other, 3)
    assert left not in temporary(other)
    assert (values(other) == 3).all()
    other.close()


def test_it_is_left_alone_once_another_run_has_the_folder(folder):
    save(folder, 1)
    save(folder, 2)
    (left,) = temporary(folder)
    os.unlink(os.path.join(folder.storage.url, ".lock"))
    other = Repository(LocalStorage(folder.storage.url), "1.2.3")
    other.open()
    folder.close()
    assert temporary(other) == [left]
    other.close()


class TestWhoeverElseHasTheFile:
    """A file that another process opened, mapped or linked keeps the bytes of its checkpoint."""

    def test_opened(self, folder):
        with open(save(folder, 1), "rb") as file:
            for value in range(2, 6):
                save(folder, value)
            assert file.read().endswith(bytes([1]) * 5000)

    def test_opened_after_it_had_become_the_spare(self, folder):
        save(folder, 1)
        save(folder, 2)
        (name,) = temporary(folder)
        with open(os.path.join(folder.storage.url, name), "rb") as file:
            save(folder, 3)
            assert file.read().endswith(bytes([1]) * 5000)

    def test_mapped(self, folder):
        mapped = np.memmap(save(folder, 1), np.uint8, "r")
        for value in range(2, 6):
            save(folder, value)
        assert (mapped[-5000:] == 1).all()

    def test_linked(self, folder, tmp_path):
        os.link(save(folder, 1), tmp_path / "mine")
        for value in range(2, 6):
            save(folder, value)
        assert (tmp_path / "mine").read_bytes().endswith(bytes([1]) * 5000)

    def test_linked_after_it_had_become_the_spare(self, folder, tmp_path):
        save(folder, 1)
        save(folder, 2)
        (name,) = temporary(folder)
        os.link(os.path.join(folder.storage.url, name), tmp_path / "mine")
        save(folder, 3)
        assert (tmp_path / "mine").read_bytes().endswith(bytes([1]) * 5000)

    def test_in_another_process(self, folder):
        path = save(folder, 1)
        script = (
            "import sys; file = open(sys.argv[1], 'rb'); print(); input();"
            " print(set(file.read()[-5000:]))"
        )
        command = [sys.executable, "-c", script, path]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as reader:
            reader.stdout.readline()
            for value in range(2, 6):
                save(folder, value)
            assert reader.communicate("\n")[0] == "{1}\n"


@pytest.mark.parametrize("what", ["gone", "a link"])
def test_what_stands_in_its_place_by_now_is_not_written_to(folder, tmp_path, what):
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    save(folder, 1)
    save(folder, 2)
    path = os.path.join(folder.storage.url, *temporary(folder))
    os.unlink(path)
    if what == "a link":
        os.symlink(mine, path)
    save(folder, 3)
    assert mine.read_bytes() == b"mine"
    assert (values(folder) == 3).all()


class TestFileSystemsWithoutLeases:
    """Here rekindle cannot see open files: each pack is a new file, and the old one is removed."""

    @pytest.mark.parametrize("answer", [errno.EINVAL, errno.ENOSYS, errno.EACCES, None])
    def test_every_pack_is_new(self, folder, monkeypatch, answer):
        real = fcntl.fcntl

        def call(fd, command, argument=0):
            if command != fcntl.F_SETLEASE:
                return real(fd, command, argument)
            if answer is None:  # Grants every lease.
                return 0
            raise OSError(answer, os.strerror(answer))

        monkeypatch.setattr(fcntl, "fcntl", call)
        with contextlib.ExitStack() as held:
            # Keep the files open: the system may give the inode of a removed file to the next one.
            files = [held.enter_context(open(save(folder, value), "rb")) for value in range(5)]
            assert len({inode(file.fileno()) for file in files}) == 5
        assert temporary(folder) == []


def test_who_opens_the_file_while_it_is_asked_for_does_not_end_the_process(tmp_path):
    """If a lease blocks another process, the system sends a signal to the lease's holder."""
    script = f"""
import sys, threading
sys.path[:0] = {sys.path!r}
from rekindle._storage.local import recycle
path = {str(tmp_path / "file")!r}
open(path, "wb").close()
def look():
    while not done:
        open(path, "rb").close()
done = []
thread = threading.Thread(target=look)
thread.start()
answers = {{recycle.is_alone(path) for _ in range(20000)}}
done.append(True)
thread.join()
assert recycle.is_alone(path)
print(sorted(answers))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.returncode == 0, (run.returncode, run.stderr)
    assert run.stdout == "[False, True]\n"
