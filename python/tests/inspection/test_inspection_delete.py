"""Deleting a backup: only files of rekindle's, and never under a run."""

from __future__ import annotations

import os

import pytest
from backups import everything_in, fill

import rekindle
from rekindle import inspection
from rekindle._repository.repository import Repository
from rekindle._storage.local.storage import LocalStorage


class TestDelete:
    def test_only_what_is_rekindles_goes_and_the_folder_if_it_was(self, home):
        fill(home, 3)
        found = inspection.delete(home)
        assert {"ckpt-1.json", "ckpt-3.safetensors", "checkpoint", ".lock"} <= set(found.removed)
        assert (found.kept, found.folder_removed) == ([], True)
        assert not home.exists()

    def test_other_peoples_files_stay(self, home):
        home.mkdir()
        (home / "notes.txt").write_text("mine")
        (home / "data-3.json").write_text("{}")
        fill(home, 2)
        found = inspection.delete(home)
        assert (found.kept, found.folder_removed) == (["data-3.json", "notes.txt"], False)
        assert sorted(os.listdir(home)) == ["data-3.json", "notes.txt"]

    def test_saves_of_every_prefix_go(self, home):
        fill(home, 2)
        fill(home, 2, prefix="best")
        inspection.delete(home)
        assert not home.exists() or os.listdir(home) == []

    def test_while_a_run_holds_the_folder_nothing_goes(self, home):
        fill(home, 2)
        folder = Repository(LocalStorage(str(home)), "1")
        folder.open()
        before = everything_in(home)
        with pytest.raises(rekindle.LockError):
            inspection.delete(home)
        assert everything_in(home) == before
        folder.close()

    def test_a_file_of_somebody_elses_under_the_name_of_a_save_stops_it(self, home):
        fill(home, 2)
        (home / "ckpt-9.json").write_text("mine")
        before = everything_in(home)
        with pytest.raises(rekindle.ForeignFileError):
            inspection.delete(home)
        assert everything_in(home) == before

    def test_without_a_save_nothing_is_made_or_removed(self, home):
        assert inspection.delete(home) == inspection.Deletion([], [], False)
        assert not home.exists()
        home.mkdir()
        (home / "notes.txt").write_text("mine")
        assert inspection.delete(home) == inspection.Deletion([], ["notes.txt"], False)
