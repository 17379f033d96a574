"""Half-written and mixed files of Keras' own backup: refused, or the pair before is taken."""

from __future__ import annotations

import json
import os

import keras
import pytest
from small_fit import assert_same, fit, make_model, values
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
from rekindle.keras import BackupAndRestore


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
