"""Arguments, metadata, the best checkpoints, and hours that outlive a manager and its files."""

from __future__ import annotations

import math
import os
import pathlib

import numpy as np
import pytest

import rekindle
from rekindle import ArgumentError, Checkpoint, CheckpointManager


def names(manager):
    return [os.path.basename(path) for path in manager.checkpoints]


def on_disk(home):
    return {path.stem for path in pathlib.Path(home).glob("*.json")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_to_keep": True}, r"`max_to_keep`, got True\.$"),
        ({"max_to_keep": 1.5}, r"`max_to_keep`, got 1\.5\.$"),
        ({"max_to_keep": "3"}, r"`max_to_keep`, got '3'\.$"),
        ({"keep_checkpoint_every_n_hours": math.nan}, r"keep_checkpoint_every_n_hours=nan"),
        ({"keep_checkpoint_every_n_hours": True}, r"keep_checkpoint_every_n_hours=True"),
        ({"directory": ""}, r"directory=''"),
        ({"directory": 3}, r"directory=3"),
        ({"checkpoint_name": "a/b"}, r"checkpoint_name='a/b'"),
        ({"checkpoint_name": ""}, r"checkpoint_name=''"),
        ({"checkpoint_name": ".hidden"}, r"checkpoint_name='\.hidden'"),
        ({"checkpoint_interval": 2.0, "step_counter": len}, r"checkpoint_interval=2\.0"),
        ({"checkpoint_interval": True, "step_counter": len}, r"checkpoint_interval=True"),
        ({"step_counter": "nothing"}, r"step_counter='nothing'"),
        ({"step_counter": 3}, r"step_counter=3"),
        ({"step_counter": np.zeros(2, int)}, r"step_counter="),
        ({"step_counter": np.zeros(())}, r"step_counter="),
        ({"init_fn": 3}, r"init_fn=3"),
        ({"last_checkpoint_step": 1.0}, r"last_checkpoint_step=1\.0"),
        ({"background": 1}, r"background=1"),
        ({"keep_best": ("loss", "min")}, r"keep_best="),
        ({"keep_best": ("loss", "auto", 1)}, r"keep_best="),
        ({"keep_best": ("loss", "min", 0)}, r"keep_best="),
        ({"keep_best": ("loss", "min", True)}, r"keep_best="),
        ({"checkpoint": {}}, r"checkpoint=\{\}"),
    ],
)
def test_an_argument_that_cannot_be_is_refused_by_name(home, arguments, message):
    usual = {"checkpoint": Checkpoint(x=1), "directory": home, "max_to_keep": 3}
    with pytest.raises(ArgumentError, match=message) as caught:
        CheckpointManager(**usual | arguments)
    assert caught.value.argument in arguments


@pytest.mark.parametrize(
    "number", [True, 1.0, "1", -1, np.zeros(1, int), np.zeros(()), np.bool_(1)]
)
def test_a_number_that_is_none_is_refused_and_nothing_saved(home, number):
    checkpoint = Checkpoint(x=1)
    manager = CheckpointManager(checkpoint, home, 3)
    with pytest.raises(ArgumentError, match="checkpoint_number="):
        manager.save(checkpoint_number=number)
    assert checkpoint.save_counter == 0
    assert not os.path.exists(home)


def test_options_of_another_kind_are_refused(home):
    with pytest.raises(ArgumentError, match=r"options=\{\}"):
        CheckpointManager(Checkpoint(x=1), home, 3).save(options={})


def test_the_folder_of_the_user_may_be_meant(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with CheckpointManager(Checkpoint(x=1), "~/ckpts", 3) as manager:
        assert manager.save() == f"{tmp_path}/ckpts/ckpt-1"


def test_metadata_comes_back_as_it_was_given(home):
    given = {"loss": np.float32(0.5), "epoch": 3, "note": "ü", "all": [1, {"a": None}], "ok": True}
    with CheckpointManager(Checkpoint(x=1), home, 3) as manager:
        path = manager.save(with_metadata=given)
        plain = manager.save()
        assert manager.metadata(path) == {**given, "loss": 0.5}
        assert manager.metadata(plain) == {}
        with pytest.raises(rekindle.RestoreError, match="ckpt-9"):
            manager.metadata(f"{home}/ckpt-9")


@pytest.mark.parametrize("metadata", [[1], {1: 2}, {"a": object()}, {"a": {2: 3}}, {"a": 1j}])
def test_metadata_that_json_cannot_say_is_refused_and_nothing_saved(home, metadata):
    manager = CheckpointManager(Checkpoint(x=1), home, 3)
    with pytest.raises(ArgumentError, match="with_metadata"):
        manager.save(with_metadata=metadata)
    assert not os.path.exists(home)


LOSSES = [0.5, 0.1, 0.9, 0.3, math.nan, 0.7, 0.2, 0.8]


@pytest.mark.parametrize("anew", [False, True], ids=["one manager", "a new one for each save"])
@pytest.mark.parametrize(
    ("mode", "best"), [("min", ["ckpt-2", "ckpt-7"]), ("max", ["ckpt-3", "ckpt-8"])]
)
def test_the_best_stay_beside_the_newest_and_are_listed(home, mode, best, anew):
    checkpoint = Checkpoint(x=1)
    rules = {"max_to_keep": 2, "keep_best": ("loss", mode, 2)}
    manager = CheckpointManager(checkpoint, home, **rules)
    for loss in LOSSES:
        manager.save(with_metadata={"loss": loss})
        if anew:
            manager.close()
            manager = CheckpointManager(checkpoint, home, **rules)
    expected = sorted({*best, "ckpt-7", "ckpt-8"})
    assert names(manager) == expected
    assert on_disk(home) == set(expected)
    manager.close()


def test_a_save_without_the_metric_is_never_among_the_best(home):
    with CheckpointManager(Checkpoint(x=1), home, 1, keep_best=("loss", "min", 3)) as manager:
        manager.save()
        manager.save(with_metadata={"loss": "low"})
        manager.save(with_metadata={"other": 1.0})
        manager.save(with_metadata={"loss": 2.0})
        manager.save()
        assert names(manager) == ["ckpt-4", "ckpt-5"]


def test_of_equal_ones_the_newer_are_better(home):
    with CheckpointManager(Checkpoint(x=1), home, 1, keep_best=("loss", "max", 1)) as manager:
        for _ in range(3):
            manager.save(with_metadata={"loss": 1.0})
        manager.save(with_metadata={"loss": 0.0})
        assert names(manager) == ["ckpt-3", "ckpt-4"]


@pytest.mark.parametrize("content", [None, b"", b"garbage"])
def test_hours_survive_the_manager_and_a_lost_state_file(home, clock, content):
    """As in TensorFlow's second example, in which only the state file exists."""
    checkpoint = Checkpoint(x=1)
    rules = {"max_to_keep": 1, "keep_checkpoint_every_n_hours": 1}
    manager = CheckpointManager(checkpoint, home, **rules)
    for _ in range(9):
        clock.now += 25 * 60.0
        with manager:
            manager.save()
        state = pathlib.Path(home, "checkpoint")
        state.unlink()
        if content is not None:
            state.write_bytes(content)
        manager = CheckpointManager(checkpoint, home, **rules)
    assert names(manager) == ["ckpt-9"]
    assert on_disk(home) == {"ckpt-3", "ckpt-6", "ckpt-9"}


def test_a_manager_knows_its_checkpoints_after_the_folder_was_let_go(home, clock):
    checkpoint = Checkpoint(x=1)
    manager = CheckpointManager(checkpoint, home, 2, keep_checkpoint_every_n_hours=1)
    for _ in range(6):
        clock.now += 25 * 60.0
        manager.save()
        manager.close()
    assert names(manager) == ["ckpt-5", "ckpt-6"]
    assert on_disk(home) == {"ckpt-3", "ckpt-5", "ckpt-6"}


def test_a_restored_checkpoint_may_be_let_go_as_any_other(home):
    checkpoint = Checkpoint(x=1)
    with CheckpointManager(checkpoint, home, 1) as manager:
        manager.save()
    with CheckpointManager(checkpoint, home, 1) as manager:
        assert manager.restore_or_initialize() == f"{home}/ckpt-1"
        assert manager.latest_checkpoint == f"{home}/ckpt-1"
        manager.save()
        assert on_disk(home) == {"ckpt-2"}
