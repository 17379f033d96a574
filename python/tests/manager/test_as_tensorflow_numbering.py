"""Numbers, names, paths and what save() returns, in TensorFlow and here."""

from __future__ import annotations

import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from systems import names, value


def test_numbers_are_the_save_counter_from_one_on(system, v, home):
    checkpoint = system.checkpoint(v=v)
    assert int(checkpoint.save_counter) == 0
    manager = system.manager(checkpoint, home)
    assert [manager.save(), manager.save()] == [f"{home}/ckpt-1", f"{home}/ckpt-2"]
    assert int(checkpoint.save_counter) == 2
    assert manager.latest_checkpoint == f"{home}/ckpt-2"


@pytest.mark.parametrize(
    "number",
    [
        lambda: 10,
        lambda: tf.Variable(10),
        lambda: tf.Variable(10, dtype=tf.int64),
        lambda: tf.constant(10, dtype=tf.int64),
    ],
    ids=["int", "int32 variable", "int64 variable", "tensor"],
)
def test_a_given_number_is_used_and_the_counter_advances_by_one(system, v, home, number):
    checkpoint = system.checkpoint(v=v)
    manager = system.manager(checkpoint, home)
    number = number()
    assert manager.save(checkpoint_number=number) == f"{home}/ckpt-10"
    assert int(number) == 10
    assert int(checkpoint.save_counter) == 1
    assert manager.save() == f"{home}/ckpt-2"


def test_a_numpy_integer_is_a_number(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home)
    assert manager.save(checkpoint_number=np.int64(7)) == f"{home}/ckpt-7"


def test_zero_is_a_number(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home)
    assert manager.save(checkpoint_number=0) == f"{home}/ckpt-0"


def test_the_latest_is_the_last_saved_and_not_the_highest(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home, 2)
    for number in (30, 20, 10):
        v.assign(float(number))
        manager.save(checkpoint_number=number)
    assert names(manager.checkpoints) == ["ckpt-20", "ckpt-10"]
    assert system.on_disk(home) == {"ckpt-20", "ckpt-10"}
    assert manager.latest_checkpoint == f"{home}/ckpt-10"
    assert system.latest(home) == f"{home}/ckpt-10"
    v.assign(-1.0)
    again = system.manager(system.checkpoint(v=v), home, 2)
    assert names(again.checkpoints) == ["ckpt-20", "ckpt-10"]
    assert again.restore_or_initialize() == f"{home}/ckpt-10"
    assert float(v) == 10.0


def test_saving_a_number_again_moves_it_to_the_end(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home, 3)
    for number, content in ((1, 1.0), (2, 2.0), (3, 3.0), (1, 4.0)):
        v.assign(content)
        manager.save(checkpoint_number=number)
    assert names(manager.checkpoints) == ["ckpt-2", "ckpt-3", "ckpt-1"]
    assert value(system, manager.latest_checkpoint) == 4.0
    manager.save(checkpoint_number=4)
    assert names(manager.checkpoints) == ["ckpt-3", "ckpt-1", "ckpt-4"]
    assert system.on_disk(home) == {"ckpt-3", "ckpt-1", "ckpt-4"}


def test_a_plain_save_that_meets_a_number_of_its_own_manager_writes_over_it(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home)
    manager.save(checkpoint_number=2)
    v.assign(5.0)
    assert manager.save() == f"{home}/ckpt-2"
    assert names(manager.checkpoints) == ["ckpt-2"]
    assert value(system, f"{home}/ckpt-2") == 5.0


def test_after_a_restore_numbers_go_on(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home)
    manager.save()
    manager.save()
    checkpoint = system.checkpoint(v=v)
    manager = system.manager(checkpoint, home)
    assert manager.restore_or_initialize() == f"{home}/ckpt-2"
    assert int(checkpoint.save_counter) == 2
    assert manager.save() == f"{home}/ckpt-3"


def test_the_counter_of_a_restored_checkpoint_is_its_own_and_not_its_number(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home)
    manager.save(checkpoint_number=100)
    checkpoint = system.checkpoint(v=v)
    manager = system.manager(checkpoint, home)
    assert manager.restore_or_initialize() == f"{home}/ckpt-100"
    assert int(checkpoint.save_counter) == 1
    assert manager.save() == f"{home}/ckpt-2"


def test_an_older_checkpoint_restored_sets_the_counter_back(system, v, home):
    checkpoint = system.checkpoint(v=v)
    manager = system.manager(checkpoint, home, None)
    for _ in range(3):
        manager.save()
    system.restore(checkpoint, f"{home}/ckpt-1").assert_consumed()
    assert int(checkpoint.save_counter) == 1
    assert manager.save() == f"{home}/ckpt-2"
    assert names(manager.checkpoints) == ["ckpt-1", "ckpt-3", "ckpt-2"]


def test_names_begin_with_the_name_of_the_checkpoints(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home, checkpoint_name="model")
    assert manager.save() == f"{home}/model-1"
    assert system.on_disk(home) == {"model-1"}
    assert system.latest(home) == f"{home}/model-1"


def test_a_relative_folder_gives_relative_paths(system, v, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    manager = system.manager(system.checkpoint(v=v), "here/ckpts")
    assert manager.directory == "here/ckpts"
    path = manager.save()
    assert path == "here/ckpts/ckpt-1"
    assert manager.checkpoints == [path]
    assert manager.latest_checkpoint == path
    assert system.latest("here/ckpts") == path
    assert system.on_disk(tmp_path / "here" / "ckpts") == {"ckpt-1"}


def test_an_absolute_folder_gives_absolute_paths(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home)
    path = manager.save()
    assert isinstance(path, str)
    assert os.path.isabs(path)
    assert manager.checkpoints == [path]


def test_the_folder_may_be_a_path_like(system, v, home):
    manager = system.manager(system.checkpoint(v=v), pathlib.Path(home))
    assert manager.directory == home
    assert manager.save() == f"{home}/ckpt-1"
    assert system.latest(home) == f"{home}/ckpt-1"
    again = system.manager(system.checkpoint(v=v), pathlib.Path(home))
    assert again.checkpoints == [f"{home}/ckpt-1"]


def test_a_manager_tells_its_arguments(system, v, home):
    checkpoint = system.checkpoint(v=v)
    step = tf.Variable(0)
    manager = system.manager(checkpoint, home, step_counter=step, checkpoint_interval=4)
    assert manager.checkpoint is checkpoint
    assert manager.directory == home
    assert manager.checkpoint_interval == 4
    assert system.manager(checkpoint, home).checkpoint_interval is None


def test_the_list_of_checkpoints_is_a_new_one(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home)
    manager.save()
    manager.checkpoints.clear()
    assert names(manager.checkpoints) == ["ckpt-1"]


def test_the_functions_of_the_options_are_called_with_the_path(system, v, home):
    called = []
    options = tf.train.CheckpointOptions(experimental_write_callbacks=[called.append])
    manager = system.manager(system.checkpoint(v=v), home)
    path = manager.save(options=options)
    assert called == [path]


def test_sync_returns_none(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home)
    assert manager.sync() is None
    manager.save()
    assert manager.sync() is None
