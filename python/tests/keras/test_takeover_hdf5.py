"""Forged weights in a backup of Keras' own: rekindle refuses them before Keras opens them."""

from __future__ import annotations

import os
import shutil
import sys
import time

import forged_weights
import h5py
import keras
import numpy as np
import pytest
from forged_weights import KERNEL, REFUSED, SECRET
from small_fit import assert_same, fit, make_model, values
from taking_over import METADATA, WEIGHTS, interrupted_by_keras, taken_over

import rekindle
from rekindle._keras import weights_file
from rekindle._storage.local import by_descriptor, guard
from rekindle.keras import BackupAndRestore

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="descriptors have no names")


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("honest") / "backup"
    folder.mkdir()
    interrupted_by_keras(folder)
    # In a model of its own, layers may have any name.
    with h5py.File(folder / WEIGHTS) as file:
        assert file[KERNEL].shape == forged_weights.SHAPE
    return folder


@pytest.fixture
def backup(honest, backup_dir):
    shutil.copytree(honest, backup_dir)
    return backup_dir


@pytest.fixture
def loaded(monkeypatch):
    """The calls of Keras' own loading."""
    calls = []
    load = keras.Model.load_weights

    def noted(self, path, *args, **kwargs):
        calls.append(path)
        return load(self, path, *args, **kwargs)

    monkeypatch.setattr(keras.Model, "load_weights", noted)
    return calls


def touched(folder):
    """As Keras leaves the two files: the epoch is the younger."""
    os.utime(folder / METADATA)


@pytest.mark.parametrize("forge", REFUSED, ids=lambda one: one.__name__)
def test_forged_weights_are_refused_before_keras_reads_them(backup, loaded, forge):
    forge(backup / WEIGHTS)
    touched(backup)
    model = make_model()
    untouched = values(model)
    began = time.process_time()
    with pytest.raises(rekindle.DamageError, match=REFUSED[forge]):
        fit(model, BackupAndRestore(backup))
    # Reading what the larger ones claim would take much longer.
    assert time.process_time() - began < 10
    assert loaded == []
    assert_same(values(model)[: len(untouched)], untouched)


def test_honest_weights_of_all_types_are_read(backup_dir):
    backup_dir.mkdir()
    file = backup_dir / WEIGHTS
    with h5py.File(file, "w") as made:
        for kind in ("?", "i1", "u8", "f2", "f8", "c16", "V2", "S3"):
            made[f"vars/{kind}"] = np.zeros((2, 3), kind)
        made["vars/scalar"] = np.float32(1)
        made["vars/none"] = np.zeros((0, 4))
        made["vars"].attrs["name"] = "dense"
        made["vars/V2"].attrs["dtype"] = "bfloat16"
        assert "S3" in made["vars"]
    weights_file.check(str(file), WEIGHTS, weights_file.Limits([]))


@pytest.mark.parametrize("size", [0, 100, 3000])
def test_a_file_that_was_cut_off_is_damaged(backup, size):
    os.truncate(backup / WEIGHTS, size)
    with pytest.raises(rekindle.DamageError, match="half-written or damaged"):
        fit(make_model(), BackupAndRestore(backup))


@linux_only
def test_keras_reads_the_file_that_was_checked(backup, monkeypatch):
    check, load, read = weights_file.check, keras.Model.load_weights, []

    def swap_after(path, *arguments):
        check(path, *arguments)
        (backup / WEIGHTS).rename(backup / "was")
        shutil.copy(backup / "was", backup / WEIGHTS)
        with h5py.File(backup / WEIGHTS, "r+") as file:
            file[KERNEL][...] = SECRET

    def noted(self, path, *args, **kwargs):
        load(self, path, *args, **kwargs)
        read.append(self.get_weights()[0])

    monkeypatch.setattr(weights_file, "check", swap_after)
    monkeypatch.setattr(keras.Model, "load_weights", noted)
    with h5py.File(backup / WEIGHTS) as file:
        expected = file[KERNEL][()]
    with pytest.raises(rekindle.DamageError, match="was changed by another program while"):
        fit(make_model(), BackupAndRestore(backup))
    assert_same(read, [expected])


def test_weights_that_change_while_they_are_read_are_refused(backup, monkeypatch):
    check = weights_file.check

    def change_after(path, *arguments):
        check(path, *arguments)
        before = (backup / WEIGHTS).stat()
        with h5py.File(backup / WEIGHTS, "r+") as file:
            file[KERNEL][...] = SECRET
        os.utime(backup / WEIGHTS, ns=(before.st_atime_ns, before.st_mtime_ns))

    monkeypatch.setattr(weights_file, "check", change_after)
    model = make_model()
    untouched = values(model)
    with pytest.raises(rekindle.DamageError, match="was changed by another program while"):
        fit(model, BackupAndRestore(backup))
    assert_same(values(model)[: len(untouched)], untouched)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives files to other users"
)
@pytest.mark.parametrize("name", [WEIGHTS, METADATA])
def test_another_users_file_that_comes_after_the_check_is_refused(backup, name, monkeypatch):
    os.chown(backup / name, 54321, -1)
    monkeypatch.setattr(guard, "refuse_others", lambda *arguments: None)
    with pytest.raises(rekindle.ForeignFileError, match=f"{name}' belongs to user 54321"):
        fit(make_model(), BackupAndRestore(backup))
    monkeypatch.setenv("REKINDLE_TRUST_OWNER", "54321")
    taken_over(backup)


def test_a_system_without_names_for_descriptors_gets_a_copy(backup, monkeypatch):
    def no_links(*arguments):
        raise OSError("no links here")

    monkeypatch.setattr(os, "symlink", no_links)
    monkeypatch.setattr(by_descriptor, "_PIECE", 1000)
    *_, warning = taken_over(backup)
    assert warning.epoch == 2


@pytest.mark.parametrize("epoch", ["1e400", "9" * 30, "true", "[1]", "9" * 5000])
def test_an_epoch_that_no_training_has_is_refused(backup, epoch):
    (backup / METADATA).write_text(f'{{"epoch": {epoch}, "batch": 0}}')
    with pytest.raises(rekindle.DamageError, match=f"{METADATA} is half-written"):
        fit(make_model(), BackupAndRestore(backup))
