"""The files in the folder at each time, and the files that stay."""

from __future__ import annotations

import os
import re

import keras
import pytest
from small_fit import assert_same, fit, interrupt, make_model, values

from rekindle._format import layout
from rekindle._storage.local import direct_io, page_cache, recycle
from rekindle.keras import BackupAndRestore


def test_deleting_leaves_what_is_not_ours(backup_dir):
    backup_dir.mkdir()
    (backup_dir / "notes.txt").write_text("mine")
    (backup_dir / "ckpt-best.json").write_text("{}")
    fit(make_model(), BackupAndRestore(backup_dir))
    assert sorted(os.listdir(backup_dir)) == ["ckpt-best.json", "notes.txt"]
    assert (backup_dir / "notes.txt").read_text() == "mine"


def test_a_folder_that_was_there_before_stays(backup_dir):
    backup_dir.mkdir()
    fit(make_model(), BackupAndRestore(backup_dir))
    assert os.listdir(backup_dir) == []


def test_without_deleting_the_saves_stay_and_the_next_fit_goes_on_from_them(backup_dir):
    model = make_model()
    fit(model, BackupAndRestore(backup_dir, delete_checkpoint=False), epochs=3)
    again = make_model()
    assert fit(again, BackupAndRestore(backup_dir, delete_checkpoint=False), epochs=3).epoch == []
    assert_same(values(again), values(model))
    more = fit(again, BackupAndRestore(backup_dir, delete_checkpoint=False), epochs=5)
    assert more.epoch == [3, 4]


@pytest.mark.parametrize(("double", "kept"), [(False, 1), (True, 2)])
def test_one_save_is_kept_or_two(backup_dir, double, kept):
    interrupt(make_model(), BackupAndRestore(backup_dir, double_checkpoint=double), 3)
    assert len(list(backup_dir.glob("ckpt-*.json"))) == kept


@pytest.mark.skipif(not recycle.CAN_TELL_OPEN_FILES, reason="packs are written over on Linux only")
def test_packs_are_written_over_older_ones_and_none_of_these_outlives_the_fit(
    backup_dir, monkeypatch
):
    create, written_over = recycle.RecycledFile.create, []

    def noted(self, path, size):
        written_over.append(self.name is not None)
        return create(self, path, size)

    monkeypatch.setattr(recycle.RecycledFile, "create", noted)
    monkeypatch.setattr(recycle, "_LEAST", 0)  # These packs are small.
    assert_interrupted_is_as_in_one_go(backup_dir, background=False)
    assert any(written_over)
    assert not list(backup_dir.glob("*.tmp"))


def test_saves_behind_the_training_go_past_the_system_s_cache(backup_dir, monkeypatch):
    write, works, read_back = direct_io.Direct.write, [], []

    def noted(self, chunks):
        write(self, chunks)
        works.append(self.works)

    monkeypatch.setattr(direct_io.Direct, "write", noted)
    monkeypatch.setattr(page_cache, "_read_into_cache", lambda path, stop: read_back.append(path))
    monkeypatch.setattr(layout, "LARGE_PACK", 0)  # These packs are small.
    assert_interrupted_is_as_in_one_go(backup_dir, background=True)
    if not works:
        pytest.skip("this file system writes nothing past its cache")
    assert all(works)
    assert read_back
    assert not list(backup_dir.glob("*.tmp"))


def assert_interrupted_is_as_in_one_go(backup_dir, *, background):
    keras.utils.set_random_seed(0)
    interrupt(make_model(), BackupAndRestore(backup_dir, background=background), 5)
    again = make_model()
    rest = fit(again, BackupAndRestore(backup_dir, background=background), epochs=8)
    assert rest.epoch == [5, 6, 7]
    keras.utils.set_random_seed(0)
    in_one_go = make_model()
    fit(in_one_go, epochs=8)
    assert_same(values(again), values(in_one_go))


def test_save_freq_false_restores_and_never_saves(backup_dir):
    interrupt(make_model(), BackupAndRestore(backup_dir), 2)
    before = {name.name: name.stat().st_mtime_ns for name in backup_dir.glob("ckpt-*")}
    history = fit(
        make_model(), BackupAndRestore(backup_dir, save_freq=False, delete_checkpoint=False)
    )
    assert history.epoch == [2]
    assert before == {name.name: name.stat().st_mtime_ns for name in backup_dir.glob("ckpt-*")}


def test_saves_stay_as_far_apart_after_a_resume(backup_dir, capsys):
    interrupt(make_model(), BackupAndRestore(backup_dir, save_freq=3, verbose=2), 1, 3)
    fit(make_model(), BackupAndRestore(backup_dir, save_freq=3, verbose=2))
    saved = [line for line in capsys.readouterr().out.splitlines() if "Saved" in line]
    places = [tuple(map(int, re.findall(r"epoch (\d+), batch (\d+)", line)[0])) for line in saved]
    assert [epoch * 5 + batch for epoch, batch in places] == [3, 6, 9, 12, 15]
