"""rekindle's callback continues a run that Keras' own callback began."""

from __future__ import annotations

import json
import os
import shutil
import warnings

import keras
import numpy as np
import pytest
from small_fit import Interrupt, Probe, assert_same, fit, interrupt, make_model, values
from taking_over import (
    METADATA,
    WEIGHTS,
    Theirs,
    contents,
    interrupted_by_keras,
    resume,
    taken_over,
)

import rekindle
from rekindle._training import settled
from rekindle.keras import BackupAndRestore


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
        "evidence": "unverified",
        "compared": {"batches": 0, "losses": 0, "epochs": 0, "largest": 0.0},
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


def test_weights_alone_are_left_and_said(backup_dir):
    interrupted_by_keras(backup_dir)
    os.remove(backup_dir / METADATA)
    callback = BackupAndRestore(backup_dir)
    with pytest.warns(rekindle.TakeoverWarning, match=f"Without '{METADATA}'"):
        assert fit(make_model(), callback).epoch == [0, 1, 2]
    assert callback.resume_report is None
    assert (backup_dir / WEIGHTS).exists()


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
        history = fit(
            make_model(optimizer="sgd"), BackupAndRestore(backup_dir, allow_changes="optimizer")
        )
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


OF_TENSORFLOW = {
    "checkpoint": 'model_checkpoint_path: "ckpt-5"\nall_model_checkpoint_paths: "ckpt-5"\n',
    "ckpt-5.index": "an index",
    "ckpt-5.data-00000-of-00001": "data",
}


def write_files_of_tensorflow(folder):
    folder.mkdir(parents=True)
    for name, text in OF_TENSORFLOW.items():
        (folder / name).write_text(text)


def test_a_backup_of_keras_2_is_refused_by_name_and_left_as_it_is(backup_dir):
    write_files_of_tensorflow(backup_dir / "chief")
    model = make_model()
    before = model.get_weights()
    with pytest.raises(rekindle.MismatchError, match="The BackupAndRestore of Keras 2") as caught:
        fit(model, BackupAndRestore(backup_dir))
    assert str(backup_dir / "chief" / "ckpt-5") in str(caught.value)
    assert caught.value.differences == [
        "library: expected Keras 3 (keras; keras3 in R), found Keras 2 (tf_keras; keras in R) in"
        " the backup"
    ]
    for mine, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, was)
    folder = backup_dir / "chief"
    assert {name: (folder / name).read_text() for name in OF_TENSORFLOW} == OF_TENSORFLOW


def test_a_backup_of_keras_2_whose_run_is_complete_is_no_matter(backup_dir):
    write_files_of_tensorflow(backup_dir / "chief")
    digest = settled.digests(str(backup_dir), ["chief/ckpt-5.index"])
    settled.settle(str(backup_dir), digest)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [0, 1, 2]


def test_other_checkpoints_of_tensorflow_are_warned_of_and_left_as_they_are(backup_dir):
    write_files_of_tensorflow(backup_dir)
    with pytest.warns(rekindle.TakeoverWarning, match="Keras 3 cannot resume from it") as caught:
        assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [0, 1, 2]
    assert [str(backup_dir / "ckpt-5") in str(one.message) for one in caught] == [True]
    assert caught[0].message.directory == str(backup_dir)
    assert {name: (backup_dir / name).read_text() for name in OF_TENSORFLOW} == OF_TENSORFLOW


def test_beside_a_save_of_ours_a_backup_of_keras_2_is_no_matter(backup_dir):
    interrupt(make_model(), BackupAndRestore(backup_dir), 2)
    (backup_dir / "chief").mkdir()
    (backup_dir / "chief" / "checkpoint").write_text('model_checkpoint_path: "ckpt-5"\n')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [2]
