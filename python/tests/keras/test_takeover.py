"""rekindle's callback continues a run that Keras' own callback began."""

from __future__ import annotations

import json
import os
import shutil
import warnings

import keras
import numpy as np
import pytest
from conftest import Interrupt, Probe, assert_same, fit, interrupt, make_model, values

import rekindle
from rekindle.keras import BackupAndRestore

Theirs = keras.callbacks.BackupAndRestore

WEIGHTS, METADATA = "latest.weights.h5", "training_metadata.json"


def interrupted_by_keras(folder, *, epoch=2, batch=None, **arguments):
    """Interrupts a run with Keras' callback. Returns the bytes and times of its files, by name."""
    save_freq = arguments.get("save_freq", "epoch")
    keras.utils.set_random_seed(1)
    interrupt(make_model(), Theirs(str(folder), **arguments), epoch, batch, shuffle=False)
    assert (folder / WEIGHTS).exists()
    assert json.loads((folder / METADATA).read_text())["epoch"] == epoch, save_freq
    return contents(folder)


def contents(folder):
    """The files of Keras' callback."""
    names = [name for name in os.listdir(folder) if name.startswith((WEIGHTS, METADATA))]
    return {
        name: ((folder / name).read_bytes(), (folder / name).stat().st_mtime_ns) for name in names
    }


def resume(folder, callback_class, **arguments):
    """Resumes in a new model. Returns the model, the trained batches and the History."""
    model, probe = make_model(), Probe()
    history = fit(model, callback_class(str(folder), **arguments), probe, epochs=5, shuffle=False)
    return model, probe, history


def taken_over(folder, **arguments):
    with pytest.warns(rekindle.TakeoverWarning) as caught:
        found = resume(folder, BackupAndRestore, **arguments)
    (warning,) = [w.message for w in caught if isinstance(w.message, rekindle.TakeoverWarning)]
    return *found, warning


@pytest.mark.parametrize(
    ("arguments", "batch"),
    [({}, None), ({"save_freq": 3}, 4), ({"save_freq": 1, "double_checkpoint": True}, 2)],
)
def test_it_goes_on_as_keras_own_callback_does(tmp_path, backup_dir, arguments, batch):
    before = interrupted_by_keras(backup_dir, batch=batch, **arguments)
    theirs = tmp_path / "theirs"
    shutil.copytree(backup_dir, theirs)

    model, probe, history, warning = taken_over(backup_dir, delete_checkpoint=False)
    expected, expected_probe, expected_history = resume(theirs, Theirs)

    assert_same(probe.first, expected_probe.first)
    assert probe.seen == expected_probe.seen
    assert probe.seen[0] == (2, 0)
    assert history.epoch == expected_history.epoch == [2, 3, 4]
    assert history.history == expected_history.history
    assert_same(values(model), values(expected))
    metadata = json.loads(before[METADATA][0])
    assert (warning.epoch, warning.batch) == (2, metadata["batch"])
    assert contents(backup_dir) == before


def test_it_is_reported_as_a_resume_that_is_not_exact(backup_dir):
    interrupted_by_keras(backup_dir)
    callback = BackupAndRestore(backup_dir)
    with pytest.warns(rekindle.TakeoverWarning, match=r"epoch 2 \(counted from 0\), 10 optimizer"):
        fit(make_model(), callback)
    report = callback.resume_report
    written = os.stat(backup_dir / WEIGHTS).st_mtime
    assert report == {
        "number": None,
        "epoch": 2,
        "batch": 0,
        "step": 10,
        "time": pytest.approx(written),
        "exact": False,
        "notes": [],
    }


def test_killed_again_it_goes_on_with_its_own_save(backup_dir):
    before = interrupted_by_keras(backup_dir)
    with pytest.warns(rekindle.TakeoverWarning):
        interrupt(make_model(), BackupAndRestore(backup_dir, save_freq=2), 3, 3)
    assert contents(backup_dir) == before
    callback = BackupAndRestore(backup_dir, save_freq=2)
    fit(make_model(), callback, epochs=5)
    assert (callback.resume_report["epoch"], callback.resume_report["batch"]) == (3, 3)


def test_the_run_after_a_completed_one_begins_afresh(backup_dir):
    before = interrupted_by_keras(backup_dir)
    taken_over(backup_dir)
    assert contents(backup_dir) == before
    callback = BackupAndRestore(backup_dir)
    assert fit(make_model(), callback).epoch == [0, 1, 2]
    assert callback.resume_report is None


def test_a_newer_backup_by_keras_is_gone_on_with_although_an_older_one_is_done_with(backup_dir):
    interrupted_by_keras(backup_dir)
    taken_over(backup_dir)
    for name in (WEIGHTS, METADATA):
        os.remove(backup_dir / name)
    interrupted_by_keras(backup_dir, epoch=1)
    *_, warning = taken_over(backup_dir)
    assert warning.epoch == 1


def test_a_save_of_ours_goes_first(backup_dir):
    interrupt(make_model(), BackupAndRestore(backup_dir), 1)
    interrupted_by_keras(backup_dir)
    assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [1, 2]


def test_a_model_that_fit_would_build_is_built(backup_dir):
    interrupted_by_keras(backup_dir)
    model, probe = make_model(built=False), Probe()
    with pytest.warns(rekindle.TakeoverWarning):
        fit(model, BackupAndRestore(backup_dir), probe)
    assert probe.seen[0] == (2, 0)


# --- half-written and mixed -----------------------------------------------------------------------


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def killed_between_the_files(folder, monkeypatch, **arguments):
    """Keras saves the weights of epoch 2, and dies before it records that epoch."""
    saved = keras.Model.save_weights

    def save_and_die(self, *args, **kwargs):
        saved(self, *args, **kwargs)
        if int(keras.ops.convert_to_numpy(self.optimizer.iterations)) == 10:
            raise RuntimeError("Killed!")

    with monkeypatch.context() as patched:
        patched.setattr(keras.Model, "save_weights", save_and_die)
        with pytest.raises(RuntimeError, match="Killed!"):
            fit(make_model(), Theirs(str(folder), **arguments), shuffle=False)
    assert json.loads((folder / METADATA).read_text())["epoch"] == 1


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda f: cut(f / WEIGHTS), "latest.weights.h5 is half-written or damaged"),
        (lambda f: (f / WEIGHTS).write_bytes(b""), "latest.weights.h5 is half-written or damaged"),
        (lambda f: cut(f / METADATA), "training_metadata.json is half-written or not from Keras"),
        (lambda f: (f / METADATA).write_text("[1]"), "training_metadata.json is half-written or"),
        (lambda f: (f / METADATA).write_text('{"epoch": -1}'), "training_metadata.json is half"),
        (
            lambda f: os.remove(f / WEIGHTS),
            "latest.weights.h5 is missing beside training_metadata.json",
        ),
    ],
)
def test_a_backup_that_is_not_whole_is_refused_by_name(backup_dir, damage, expected):
    interrupted_by_keras(backup_dir)
    damage(backup_dir)
    left, model = contents(backup_dir), make_model()
    untouched = values(model)
    with pytest.raises(rekindle.DamageError) as caught:
        fit(model, BackupAndRestore(backup_dir))
    assert expected in str(caught.value)
    assert "move these files away to start afresh" in str(caught.value)
    assert contents(backup_dir) == left
    assert_same(values(model)[: len(untouched)], untouched)


@pytest.mark.parametrize("name", [WEIGHTS, METADATA])
def test_where_the_newest_pair_is_not_whole_the_one_before_is_taken(backup_dir, name):
    interrupted_by_keras(backup_dir, double_checkpoint=True)
    cut(backup_dir / name)
    left = contents(backup_dir)
    _, probe, history, warning = taken_over(backup_dir)
    assert warning.epoch == 1
    assert warning.notes[0].startswith(f"{name} is half-written")
    assert warning.notes[0].endswith("so rekindle used the previous pair")
    assert history.epoch == [1, 2, 3, 4]
    assert probe.seen[0] == (1, 0)
    assert contents(backup_dir) == left


def test_weights_and_an_epoch_of_two_saves_are_refused(backup_dir, monkeypatch):
    killed_between_the_files(backup_dir, monkeypatch)
    with pytest.raises(rekindle.DamageError) as caught:
        resume(backup_dir, BackupAndRestore)
    (line,) = [line for line in caught.value.damages if line.startswith(WEIGHTS + " was")]
    assert "was written after training_metadata.json" in line
    assert "the optimizer has made 10 steps, and epoch 1 begins after 5" in line
    assert "set the epoch (counted from 0) in training_metadata.json" in line


def test_of_a_mixed_pair_the_one_before_is_taken(backup_dir, monkeypatch):
    killed_between_the_files(backup_dir, monkeypatch, double_checkpoint=True)
    _, probe, _, warning = taken_over(backup_dir)
    assert warning.epoch == 1
    assert warning.step == 5
    assert probe.seen[0] == (1, 0)


def test_a_pair_that_was_copied_in_the_other_order_is_whole_all_the_same(backup_dir):
    interrupted_by_keras(backup_dir)
    os.utime(backup_dir / METADATA, (1, 1))
    *_, warning = taken_over(backup_dir)
    assert warning.epoch == 2
    assert warning.notes == []


def test_steps_that_are_not_those_of_the_epoch_are_noted(backup_dir):
    interrupted_by_keras(backup_dir)
    (backup_dir / METADATA).write_text('{"epoch": 3, "batch": 0}')
    *_, warning = taken_over(backup_dir)
    assert warning.epoch == 3
    assert warning.notes == ["the optimizer has made 10 steps, and epoch 3 begins after 15"]


def test_weights_alone_are_left_and_said(backup_dir):
    interrupted_by_keras(backup_dir)
    os.remove(backup_dir / METADATA)
    callback = BackupAndRestore(backup_dir)
    with pytest.warns(rekindle.TakeoverWarning, match=f"without '{METADATA}'"):
        assert fit(make_model(), callback).epoch == [0, 1, 2]
    assert callback.resume_report is None
    assert (backup_dir / WEIGHTS).exists()


# --- other models ---------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"width": 5}, {"optimizer": "sgd"}])
def test_a_backup_of_another_model_is_refused_and_changes_nothing(backup_dir, change):
    interrupted_by_keras(backup_dir)
    other = make_model(**change)
    untouched = [np.array(weight) for weight in other.get_weights()]
    with pytest.raises(rekindle.MismatchError, match="is not of this model"):
        fit(other, BackupAndRestore(backup_dir))
    assert_same(other.get_weights(), untouched)


def test_another_optimizer_may_be_warned_about_instead(backup_dir):
    interrupted_by_keras(backup_dir)
    with pytest.warns(rekindle.TakeoverWarning, match="Skipping variable loading for optimizer"):
        history = fit(make_model(optimizer="sgd"), BackupAndRestore(backup_dir, on_mismatch="warn"))
    assert history.epoch == [2]


def test_a_folder_without_keras_files_says_nothing(backup_dir):
    backup_dir.mkdir()
    (backup_dir / "notes.txt").write_text("mine")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [0, 1, 2]
    assert os.listdir(backup_dir) == ["notes.txt"]


def test_what_keras_left_after_an_error_in_its_batch_is_taken(backup_dir):
    """As in Keras' own documentation: a callback that raises."""
    keras.utils.set_random_seed(1)
    with pytest.raises(RuntimeError):
        fit(make_model(), Theirs(str(backup_dir)), Interrupt(1, 2), shuffle=False)
    _, probe, _, warning = taken_over(backup_dir)
    assert (warning.epoch, warning.batch, warning.step) == (1, 0, 5)
    assert probe.seen[0] == (1, 0)


@pytest.mark.parametrize("place", ["chief", "."])
def test_a_backup_of_keras_2_is_told_of_and_left_as_it_is(place, backup_dir):
    folder = backup_dir / place
    folder.mkdir(parents=True)
    theirs = {
        "checkpoint": 'model_checkpoint_path: "ckpt-5"\nall_model_checkpoint_paths: "ckpt-5"\n',
        "ckpt-5.index": "an index",
        "ckpt-5.data-00000-of-00001": "data",
    }
    for name, text in theirs.items():
        (folder / name).write_text(text)
    told = "as the BackupAndRestore of Keras 2 writes it. Keras 3 cannot resume from it"
    with pytest.warns(rekindle.TakeoverWarning, match=told) as caught:
        assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [0, 1, 2]
    assert [str(folder / "ckpt-5") in str(one.message) for one in caught] == [True]
    assert caught[0].message.directory == str(backup_dir)
    assert {name: (folder / name).read_text() for name in theirs} == theirs


def test_beside_a_save_of_ours_a_backup_of_keras_2_is_no_matter(backup_dir):
    interrupt(make_model(), BackupAndRestore(backup_dir), 2)
    (backup_dir / "chief").mkdir()
    (backup_dir / "chief" / "checkpoint").write_text('model_checkpoint_path: "ckpt-5"\n')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [2]
