"""Another user replaces a folder, a link or a file after rekindle has looked at it."""

from __future__ import annotations

import os
import shutil

import pytest
from owners import OTHER, manager, needs_root, restores

import rekindle
from rekindle._storage.local import directory, guard


@pytest.fixture
def folder(tmp_path):
    """A folder with a checkpoint that root can read, for any owner."""
    manager(tmp_path / "backup", 7.0).save()
    return tmp_path / "backup"


@needs_root
@pytest.mark.parametrize("what", ["folder", "link"])
def test_what_comes_after_the_check_is_looked_at_when_it_is_opened(what, folder, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    place, precious = shared / "backup", tmp_path / "precious"
    precious.mkdir()
    with manager(place) as writing:
        # As the first step of a restore or a save does, when there is no folder yet.
        writing._checkpointer.storage.refuse_others()
        writing._checkpointer._is_ours = True
        place.symlink_to(precious) if what == "link" else shutil.copytree(folder, place)
        os.chown(place, OTHER, -1, follow_symlinks=False)
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises((rekindle.ForeignFileError, rekindle.SaveError)):
            writing.save()
        assert sorted(tmp_path.rglob("*")) == before


@needs_root
@pytest.mark.parametrize("name", ["ckpt-1.json", "ckpt-1.safetensors"])
def test_a_file_that_is_swapped_after_the_check_is_refused(name, folder, monkeypatch):
    with manager(folder) as reading:
        check = guard.refuse_others

        def swap_after(*arguments):
            found = check(*arguments)
            shutil.copy(folder / name, folder / "theirs")
            os.chown(folder / "theirs", OTHER, -1)
            (folder / "theirs").rename(folder / name)
            return found

        monkeypatch.setattr(guard, "refuse_others", swap_after)
        with pytest.raises(rekindle.ForeignFileError):
            reading.restore_or_initialize()
        assert reading.checkpoint.x.tolist() == [0.0]


@pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="folders have no descriptors")
def test_a_save_stays_in_the_folder_that_was_opened(folder, tmp_path):
    with manager(folder) as writing:
        writing.restore_or_initialize()
        writing.checkpoint.x[:] = 8.0
        storage = writing._checkpointer.storage
        write = storage.write_pack

        def swap_first(*arguments):
            folder.rename(tmp_path / "moved")
            (tmp_path / "precious").mkdir()
            folder.symlink_to(tmp_path / "precious")
            write(*arguments)

        storage.write_pack = swap_first
        writing.save()
    assert sorted(os.listdir(tmp_path / "precious")) == []
    assert "ckpt-2.json" in os.listdir(tmp_path / "moved")


@pytest.mark.parametrize("fallback", [False, True])
def test_a_path_may_have_links_and_dots_and_missing_folders(fallback, tmp_path, monkeypatch):
    if fallback:
        monkeypatch.setattr(directory, "_PASS", 0)
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "absolute").symlink_to(tmp_path / "real")
    (tmp_path / "relative").symlink_to("absolute/inner/..")
    manager(f"{tmp_path}/relative/./inner/new/er", 7.0).save()
    assert restores(tmp_path / "real" / "inner" / "new" / "er")
    assert restores(f"{tmp_path}/absolute/inner/../inner/new/er")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(rekindle.RestoreError, match="levels of symbolic links"):
        manager(tmp_path / "circle" / "x").save()
