from __future__ import annotations

import os
import stat

import numpy as np
import pytest

from rekindle._format.snapshot import Snapshot
from rekindle._repository.repository import Repository
from rekindle._storage.local.storage import LocalStorage
from rekindle.errors import ForeignFileError, SaveWarning


def names(home) -> set[str]:
    return {path.name for path in home.iterdir()} - {".lock", "checkpoint"}


class TestSharing:
    def test_an_array_that_did_not_change_is_not_written_again(self, folder, home, snapshot):
        folder.commit(snapshot(1))
        first = (home / "ckpt-1.safetensors").stat().st_size
        manifest = folder.commit(snapshot(2))
        assert manifest.arrays["frozen"].pack == "ckpt-1.safetensors"
        assert manifest.arrays["changes"].pack == "ckpt-2.safetensors"
        assert (home / "ckpt-2.safetensors").stat().st_size < first / 4

    def test_a_pack_stays_as_long_as_a_kept_save_needs_it(self, folder, home, snapshot):
        for index in range(1, 5):
            folder.commit(snapshot(index))
            folder.keep(folder.numbers[-1:])
        assert names(home) == {"ckpt-1.safetensors", "ckpt-4.safetensors", "ckpt-4.json"}
        folder.close()
        save = folder.newest()
        assert (save.arrays["changes"] == 4).all()
        assert (save.arrays["frozen"] == np.arange(1000)).all()

    def test_a_pack_of_mostly_dead_bytes_is_let_go(self, folder, home, snapshot):
        for index in range(1, 4):
            folder.commit(snapshot(index, frozen=4))
            folder.keep(folder.numbers[-1:])
        assert names(home) == {"ckpt-3.safetensors", "ckpt-3.json"}

    def test_only_bytes_that_were_verified_here_are_shared(self, fill, opened, snapshot):
        fill(1)
        folder = opened()
        folder.open()
        # No reader has verified checkpoint 1, so the current bytes of its pack are not known.
        manifest = folder.commit(snapshot(2))
        assert set(manifest.packs) == {"ckpt-2.safetensors"}

    def test_a_pack_that_was_tidied_away_is_written_again(self, folder, home, snapshot):
        folder.commit(snapshot(1))
        (home / "ckpt-1.safetensors").unlink()
        manifest = folder.commit(snapshot(2))
        assert set(manifest.packs) == {"ckpt-2.safetensors"}
        folder.close()
        assert folder.newest().manifest.number == 2

    def test_nothing_but_a_manifest_is_written_when_nothing_changed(self, folder, home, snapshot):
        folder.commit(snapshot(1))
        folder.commit(snapshot(1))
        assert names(home) == {"ckpt-1.safetensors", "ckpt-1.json", "ckpt-2.json"}


class TestNumbers:
    def test_ten_comes_after_nine(self, fill, opened):
        fill(11)
        folder = opened()
        assert folder.newest().manifest.number == 11
        assert folder.numbers == list(range(1, 12))

    def test_a_number_saved_again_is_the_newest(self, folder, home, snapshot):
        for index in (1, 2, 3):
            folder.commit(snapshot(index))
        folder.commit(snapshot(9, frozen=5), number=1)
        assert folder.numbers == [2, 3, 1]
        folder.keep([1])
        assert names(home) == {"ckpt-1.json", "ckpt-1.1.safetensors"}
        folder.close()
        assert folder.newest().manifest.state == {"index": 9}

    def test_a_damaged_save_is_set_aside_before_its_number_is_saved_again(
        self, fill, opened, home, snapshot
    ):
        fill(2)
        with (home / "ckpt-2.json").open("ab") as file:
            file.write(b"!")
        damaged = (home / "ckpt-2.json").read_bytes()
        folder = opened()
        folder.open()
        folder.commit(snapshot(7), number=2)
        assert (home / "ckpt-2.json.damaged").read_bytes() == damaged
        assert folder.newest().manifest.state == {"index": 7}


class TestOnlyOurOwnFiles:
    FOREIGN = (
        "ckpt-1.txt",
        "ckpt-01.json",
        "ckpt-1.json.bak",
        "ckpt-5.safetensors",
        "model.weights.h5",
        ".rekindle-notes.tmp",
        "other-1.json",
        "é\udcff",
    )

    def lay(self, home) -> None:
        home.mkdir(exist_ok=True)
        for name in self.FOREIGN:
            (home / name).write_bytes(name.encode("utf-8", "surrogateescape"))
        (home / "ckpt-7.safetensors.d").mkdir()

    def check(self, home) -> None:
        for name in self.FOREIGN:
            assert (home / name).read_bytes() == name.encode("utf-8", "surrogateescape")
        assert (home / "ckpt-7.safetensors.d").is_dir()

    def test_saving_sweeping_and_clearing_leave_foreign_files_alone(self, home, opened, snapshot):
        self.lay(home)
        folder = opened()
        for index in range(4):
            folder.commit(snapshot(index))
            folder.keep(folder.numbers[-1:])
        folder.clear()
        self.check(home)
        assert not (home / ".lock").exists()
        assert not list(home.glob("ckpt-?.json"))

    def test_a_pack_of_somebody_elses_is_never_written_over(self, home, opened, snapshot):
        home.mkdir()
        (home / "ckpt-1.safetensors").write_bytes(b"theirs")
        folder = opened()
        manifest = folder.commit(snapshot(1))
        assert set(manifest.packs) == {"ckpt-1.1.safetensors"}
        folder.clear()
        assert (home / "ckpt-1.safetensors").read_bytes() == b"theirs"

    @pytest.mark.parametrize("content", [b"{}", b"", b"[1, 2]", b"\xff\xfe garbage"])
    def test_a_foreign_manifest_name_is_refused_and_nothing_is_touched(self, home, opened, content):
        home.mkdir()
        (home / "ckpt-3.json").write_bytes(content)
        with pytest.raises(ForeignFileError, match="Nothing was changed") as info:
            opened().open()
        assert info.value.path == str(home / "ckpt-3.json")
        assert {path.name for path in home.iterdir()} == {"ckpt-3.json"}
        assert (home / "ckpt-3.json").read_bytes() == content

    def test_a_folder_that_rekindle_made_goes_when_it_is_empty(self, fill, opened, home):
        fill(2)
        folder = opened()
        folder.newest()
        folder.clear()
        assert not home.exists()

    def test_a_folder_that_was_there_stays(self, home, opened, snapshot):
        home.mkdir()
        folder = opened()
        folder.commit(snapshot(1))
        folder.clear()
        assert list(home.iterdir()) == []

    def test_tensorflows_own_state_file_is_left_alone(self, home, opened, snapshot):
        home.mkdir()
        (home / "checkpoint").write_bytes(b'model_checkpoint_path: "ckpt-1"\n')
        folder = opened()
        folder.commit(snapshot(1))
        folder.keep([1])
        folder.clear()
        assert (home / "checkpoint").read_bytes() == b'model_checkpoint_path: "ckpt-1"\n'

    @pytest.mark.parametrize("left", [b"", bytes(40), b"# reki"])
    def test_a_state_file_that_a_power_cut_emptied_is_written_again(
        self, fill, opened, home, snapshot, left
    ):
        fill(1)
        (home / "checkpoint").write_bytes(left)
        folder = opened()
        folder.newest()
        folder.commit(snapshot(2))
        folder.keep(folder.numbers)
        text = (home / "checkpoint").read_text()
        assert 'model_checkpoint_path: "ckpt-2"' in text
        assert 'all_model_checkpoint_paths: "ckpt-1"' in text


class TestPermissions:
    @pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
    def test_they_follow_the_umask(self, home, snapshot, umask):
        before = os.umask(umask)
        try:
            folder = Repository(LocalStorage(str(home)), "1")
            folder.commit(snapshot(1))
            folder.keep([1])
            folder.close()
        finally:
            os.umask(before)
        assert stat.S_IMODE(home.stat().st_mode) == 0o777 & ~umask
        for path in home.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask, path

    def test_in_a_folder_for_everybody_the_backup_is_for_its_owner(self, tmp_path, snapshot):
        tmp_path.chmod(0o1777)
        before = os.umask(0)
        try:
            folder = Repository(LocalStorage(str(tmp_path / "backup")), "1")
            folder.open()
            folder.close()
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700

    def test_a_link_that_another_user_planted_is_refused(self, tmp_path, monkeypatch):
        tmp_path.chmod(0o1777)
        (tmp_path / "theirs").mkdir()
        (tmp_path / "backup").symlink_to("theirs")
        os.chown(tmp_path, os.geteuid(), -1)
        owner = os.geteuid() + 1
        try:
            os.chown(tmp_path / "backup", owner, -1, follow_symlinks=False)
        except PermissionError:
            pytest.skip("only root can give a link away")
        with pytest.raises(ForeignFileError, match="a link that another user, "):
            Repository(LocalStorage(str(tmp_path / "backup")), "1").open()
        assert list((tmp_path / "theirs").iterdir()) == []

    def test_a_link_of_ones_own_is_followed(self, tmp_path, snapshot):
        (tmp_path / "disk").mkdir()
        (tmp_path / "backup").symlink_to("disk")
        folder = Repository(LocalStorage(str(tmp_path / "backup")), "1")
        folder.commit(snapshot(1))
        folder.close()
        assert (tmp_path / "disk" / "ckpt-1.json").exists()


def test_what_cannot_be_cleared_is_said_and_tried_again(folder, home, snapshot, monkeypatch):
    folder.commit(snapshot(1))
    folder.commit(snapshot(2))

    def refuse(path, **more):
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refuse)
        with pytest.warns(
            SaveWarning, match="could not remove older files in .*: Permission denied"
        ):
            folder.keep([2])
    assert folder.numbers == [1, 2]
    folder.keep([2])
    assert "ckpt-1.json" not in names(home)


def test_leftovers_of_a_crash_are_swept_by_the_next_save(fill, opened, home, snapshot):
    fill(1)
    lost = (home / "ckpt-1.safetensors").read_bytes()
    (home / "ckpt-2.safetensors").write_bytes(lost)
    for name in ("ckpt-2.json", "ckpt-2.safetensors", "ckpt-2.1.safetensors", "checkpoint"):
        (home / f".rekindle-{name}.tmp").write_bytes(b"half of it")
    folder = opened()
    folder.newest()
    folder.commit(Snapshot({"x": np.arange(3)}))
    folder.keep(folder.numbers[-1:])
    assert names(home) == {"ckpt-2.json", "ckpt-2.1.safetensors"}
