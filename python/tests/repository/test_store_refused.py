"""The system refuses a call in the midst of a save: the earlier checkpoints stay."""

from __future__ import annotations

import errno
import os

import pytest

from rekindle._format.snapshot import Snapshot
from rekindle._repository.repository import Repository
from rekindle._storage.local import fs
from rekindle._storage.local.storage import LocalStorage
from rekindle.errors import (
    RestoreError,
    SaveError,
)


class TestTheSystemRefuses:
    def test_a_full_disk_says_what_is_needed_and_what_is_free(
        self, folder, home, snapshot, monkeypatch
    ):
        folder.commit(snapshot(1))

        def full(fd, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr(fs, "write_all", full)
            patched.setattr(fs, "free_bytes", lambda path: 12_345_678)
            with pytest.raises(SaveError) as info:
                folder.commit(snapshot(2))
        error = info.value
        assert (error.errno, error.needed, error.free) == (errno.ENOSPC, 48, 12_345_678)
        assert str(error) == (
            f"A checkpoint could not be written to {str(home)!r}: No space left on device"
            " (48 bytes needed, 12.35 MB are free). The previous checkpoint is still there."
        )
        assert {path.name for path in home.iterdir()} == {
            ".lock",
            "ckpt-1.json",
            "ckpt-1.safetensors",
        }
        assert folder.commit(snapshot(2)).number == 2

    @pytest.mark.parametrize(
        ("harm", "told"),
        [
            (None, "The previous checkpoint is still there."),
            ("remove", "There is no previous checkpoint."),
            ("empty", "There is no previous checkpoint."),
            ("no pack", "There is no previous checkpoint."),
            ("another", "There is no previous checkpoint."),
            (
                "unreadable",
                "rekindle could not check whether a previous checkpoint is still there.",
            ),
        ],
    )
    def test_a_failed_save_tells_whether_one_before_it_stands(
        self, folder, home, snapshot, monkeypatch, harm, told
    ):
        if harm != "empty":
            folder.commit(snapshot(1))
        if harm == "remove":
            (home / "ckpt-1.json").unlink()
        elif harm == "no pack":
            (home / "ckpt-1.safetensors").unlink()
        elif harm == "another":
            (home / "ckpt-1.json").rename(home / "best-1.json")
        monkeypatch.setattr("rekindle._repository.commit.encode", _no_memory)
        if harm == "unreadable":
            monkeypatch.setattr("rekindle._storage.local.fs.names_in", _refused)
        with pytest.raises(SaveError) as info:
            folder.commit(snapshot(2))
        assert str(info.value).endswith(told)

    def test_a_first_save_that_fails_claims_no_other(self, home):
        home.write_bytes(b"")
        with pytest.raises(SaveError, match=r"There is no previous checkpoint\.$"):
            Repository(LocalStorage(str(home)), "1.2.3").commit(Snapshot({}))

    def test_too_little_memory_fails_the_save_only(self, folder, snapshot, monkeypatch):
        with monkeypatch.context() as patched:
            patched.setattr("rekindle._repository.commit.encode", _no_memory)
            with pytest.raises(SaveError, match="there is not enough memory"):
                folder.commit(snapshot(1))
        assert folder.commit(snapshot(1)).number == 1

    def test_too_little_memory_for_a_restore_is_said(self, fill, opened, monkeypatch):
        fill(1)
        monkeypatch.setattr("rekindle._repository.pack._read_block", _no_memory)
        with pytest.raises(RestoreError, match="cannot be read: there is not enough memory"):
            opened().newest()

    def test_a_disk_that_cannot_be_read_fails_the_restore(self, fill, opened, home, monkeypatch):
        fill(2)
        folder = opened()
        folder.open()

        def broken(fd, buffer, offset):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(fs, "read_into", broken)
        with pytest.raises(RestoreError, match=r"Checkpoint 2 in .* cannot be read: Input") as info:
            folder.newest()
        assert info.value.errno == errno.EIO

    def test_a_file_in_place_of_the_folder_is_told(self, home):
        home.write_bytes(b"")
        for folder in (home, home / "inside"):
            with pytest.raises(RestoreError) as info:
                Repository(LocalStorage(str(folder)), "1").open()
            assert f"cannot be opened: {str(home)!r} is not a folder" in str(info.value)

    @pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
    def test_a_place_where_no_folder_can_be_made_is_told(self):
        for folder in ("/proc/rekindle", "/proc"):
            with pytest.raises(RestoreError) as info:
                Repository(LocalStorage(folder), "1").open()
            assert "no file or folder can be made there" in str(info.value)

    def test_an_acknowledgement_that_failed_is_not_built_upon(
        self, folder, home, snapshot, monkeypatch
    ):
        folder.commit(snapshot(1))
        with monkeypatch.context() as patched:
            patched.setattr("rekindle._repository.commit.Commit.acknowledge", _refuse)
            with pytest.raises(SaveError):
                folder.commit(snapshot(2))
        # Checkpoint 2 exists, but a power cut may remove it. So the next checkpoint shares no array
        # with it.
        assert folder.numbers == [1, 2]
        assert set(folder.commit(snapshot(3)).packs) == {"ckpt-3.safetensors"}


def _refused(*args):
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _no_memory(*_):
    raise MemoryError


def _refuse(self):
    raise OSError(errno.EIO, "Input/output error")
