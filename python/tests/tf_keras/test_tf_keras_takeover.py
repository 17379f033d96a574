"""A folder that tf_keras' own callback left is continued with, whole or damaged."""

from __future__ import annotations

import shutil
import warnings

import keras
import pytest
import tf_keras
from small_tf_fit import Interrupt, Never, Probe, assert_same, data, fit, make_model, weights

import rekindle
import rekindle.keras
from rekindle.tf_keras import BackupAndRestore


def model_of(optimizer="adam", width=4):
    tf_keras.utils.set_random_seed(7)
    layers = [tf_keras.layers.Dense(width, input_shape=(3,)), tf_keras.layers.Dense(1)]
    model = tf_keras.Sequential(layers)
    model.compile(make_optimizer(optimizer), "mse")
    return model


def make_optimizer(name):
    return tf_keras.optimizers.legacy.Adam() if name == "legacy" else name


def left(folder, save_freq, epoch, batch, optimizer="adam"):
    """What tf_keras' callback leaves when a run is interrupted there."""
    upstream = tf_keras.callbacks.BackupAndRestore(str(folder), save_freq)
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(model_of(optimizer), upstream, Interrupt(epoch, batch))


@pytest.mark.parametrize("optimizer", ["adam", "legacy"])
@pytest.mark.parametrize(
    ("save_freq", "place"), [("epoch", (1, 0)), (2, (1, 3)), (5, (1, 0)), (1, (1, 4))]
)
def test_a_backup_is_continued_with_the_next_batch(backup_dir, save_freq, place, optimizer):
    left(backup_dir, save_freq, 1, 4, optimizer)
    callback, probe, model = BackupAndRestore(backup_dir), Probe(), model_of(optimizer)
    with pytest.warns(rekindle.TakeoverWarning, match="the backup of tf_keras' own") as caught:
        fit(model, callback, probe, Never())
    assert [one.message.library for one in caught] == ["tf_keras"]
    report = callback.resume_report
    assert (report["epoch"], report["batch"]) == probe.seen[0] == place
    assert report["step"] == 5 * place[0] + place[1]
    assert not report["exact"]
    # No random numbers in this model: so the batches in the same order give the same weights.
    expected = model_of(optimizer)
    fit(expected, Never())
    assert_same(weights(expected), weights(model))


def test_the_files_stay_and_are_not_taken_twice(backup_dir):
    left(backup_dir, "epoch", 1, 4)
    before = {path.name: path.read_bytes() for path in (backup_dir / "chief").iterdir()}
    with pytest.warns(rekindle.TakeoverWarning):
        fit(model_of(), BackupAndRestore(backup_dir))
    assert before == {path.name: path.read_bytes() for path in (backup_dir / "chief").iterdir()}
    probe = Probe()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(model_of(), BackupAndRestore(backup_dir), probe)
    assert probe.seen[0] == (0, 0)


def test_a_damaged_backup_is_an_error_and_nothing_is_changed(backup_dir):
    left(backup_dir, "epoch", 1, 4)
    (path,) = (backup_dir / "chief").glob("*.data-*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    model = model_of()
    before = weights(model)
    with pytest.raises(rekindle.DamageError, match="that is not whole"):
        fit(model, BackupAndRestore(backup_dir))
    assert_same(before, weights(model))


def test_an_older_whole_checkpoint_is_taken_instead(backup_dir):
    left(backup_dir, "epoch", 2, 1)
    newest = backup_dir / "chief" / "ckpt-2"
    for path in (backup_dir / "chief").glob("ckpt-2.*"):
        shutil.copy(path, backup_dir / "chief" / path.name.replace("ckpt-2", "ckpt-1"))
    newest.with_suffix(".data-00000-of-00001").write_bytes(b"cut")
    callback = BackupAndRestore(backup_dir)
    with pytest.warns(rekindle.TakeoverWarning, match=r"ckpt-2 is damaged .* before was taken"):
        fit(model_of(), callback)
    assert callback.resume_report["epoch"] == 2


def test_a_backup_of_another_model_is_refused_and_nothing_is_changed(backup_dir):
    left(backup_dir, "epoch", 1, 4)
    model = model_of(width=7)
    before = weights(model)
    with pytest.raises(rekindle.MismatchError, match="is not of this model"):
        fit(model, BackupAndRestore(backup_dir))
    assert_same(before, weights(model))


def test_epochs_of_another_length_are_refused(backup_dir):
    left(backup_dir, "epoch", 2, 1)
    with pytest.raises(rekindle.MismatchError, match="epochs of another length"):
        fit(model_of(), BackupAndRestore(backup_dir), batch_size=1)


def test_a_backup_of_keras_3_is_refused_by_name_and_left_as_it_is(backup_dir):
    theirs = {"latest.weights.h5": "weights", "training_metadata.json": '{"epoch": 3, "batch": 0}'}
    backup_dir.mkdir()
    for name, text in theirs.items():
        (backup_dir / name).write_text(text)
    with pytest.raises(
        rekindle.MismatchError, match="a backup by the callback of Keras 3"
    ) as caught:
        fit(make_model(), BackupAndRestore(backup_dir))
    assert "'latest.weights.h5' and 'training_metadata.json' away" in str(caught.value)
    assert {name: (backup_dir / name).read_text() for name in theirs} == theirs


def test_the_beginning_of_a_backup_of_keras_3_is_named(backup_dir):
    backup_dir.mkdir()
    (backup_dir / "latest.weights.h5").write_bytes(b"x")
    with pytest.warns(rekindle.TakeoverWarning, match="the callback of Keras 3"):
        fit(make_model(), BackupAndRestore(backup_dir))


def test_a_run_of_one_keras_is_named_by_the_other(backup_dir):
    x, y = data()
    of_keras_3 = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    of_keras_3.compile("sgd", "mse")
    fit(make_model(), BackupAndRestore(backup_dir, delete_checkpoint=False))
    ours = rekindle.keras.BackupAndRestore(backup_dir)
    with pytest.raises(rekindle.MismatchError, match="found Keras 2"):
        of_keras_3.fit(x, y, epochs=3, verbose=0, callbacks=[ours])

    other = backup_dir.with_name("other")
    ours = rekindle.keras.BackupAndRestore(other, delete_checkpoint=False)
    of_keras_3.fit(x, y, epochs=2, verbose=0, callbacks=[ours])
    with pytest.raises(rekindle.MismatchError, match="found Keras 3"):
        fit(make_model(), BackupAndRestore(other))
