"""A folder of TensorFlow's own checkpoints: training must not silently begin again there."""

from __future__ import annotations

import pytest
import tensorflow as tf

import rekindle
from rekindle import Checkpoint, CheckpointManager, latest_checkpoint


@pytest.fixture
def tensorflow_home(home, tmp_path):
    v = tf.Variable(5.0)
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(v=v), home, max_to_keep=3)
    for number in (9, 10):
        manager.save(checkpoint_number=number)
    return tmp_path / "ckpts"


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


USES = {
    "restore_or_initialize": lambda home: manager_of(home).restore_or_initialize(),
    "latest_checkpoint of a manager": lambda home: manager_of(home).latest_checkpoint,
    "latest_checkpoint": latest_checkpoint,
}


def manager_of(home):
    return CheckpointManager(Checkpoint(step=0), home, 3)


@pytest.mark.parametrize("use", USES)
def test_whoever_looks_for_a_checkpoint_is_told_of_tensorflows(use, tensorflow_home):
    with pytest.warns(rekindle.TakeoverWarning) as told:
        assert USES[use](tensorflow_home) is None
    assert len(told) == 1
    text = str(told[0].message)
    assert "There is no checkpoint of rekindle" in text
    assert f"tf.train.Checkpoint(...).restore('{tensorflow_home}/ckpt-10')" in text
    assert told[0].message.directory == str(tensorflow_home)
    assert told[0].filename == __file__


def test_a_first_save_without_a_look_says_so_and_later_ones_do_not(tensorflow_home):
    with manager_of(tensorflow_home) as manager:
        with pytest.warns(rekindle.TakeoverWarning, match="There is no checkpoint of rekindle"):
            manager.save()
        manager.save()
        assert manager.latest_checkpoint == f"{tensorflow_home}/ckpt-2"


def test_a_manager_says_it_once(tensorflow_home):
    with manager_of(tensorflow_home) as manager:
        with pytest.warns(rekindle.TakeoverWarning):
            manager.restore_or_initialize()
        assert manager.latest_checkpoint is None
        assert manager.save() == f"{tensorflow_home}/ckpt-1"


def test_tensorflows_files_stay_as_they_are_and_are_found_by_tensorflow(tensorflow_home):
    before = files(tensorflow_home)
    with manager_of(tensorflow_home) as manager:
        with pytest.warns(rekindle.TakeoverWarning):
            manager.restore_or_initialize()
        # Also save under the numbers of TensorFlow's checkpoints.
        for number in (8, 9, 10, 11, 12):
            manager.save(checkpoint_number=number)
    assert files(tensorflow_home).items() >= before.items()
    assert tf.train.latest_checkpoint(tensorflow_home) == f"{tensorflow_home}/ckpt-10"
    v = tf.Variable(0.0)
    tf.train.Checkpoint(v=v).restore(tf.train.latest_checkpoint(tensorflow_home)).assert_consumed()
    assert v.numpy() == 5
    # rekindle finds its own checkpoint, although the file `checkpoint` is not rekindle's.
    assert latest_checkpoint(tensorflow_home) == f"{tensorflow_home}/ckpt-12"
    with manager_of(tensorflow_home) as manager:
        assert manager.restore_or_initialize() == f"{tensorflow_home}/ckpt-12"
        assert manager.checkpoints == [
            f"{tensorflow_home}/ckpt-{number}" for number in (10, 11, 12)
        ]
        manager.clear()
    assert files(tensorflow_home) == before


def test_the_way_that_the_warning_names_carries_the_state_over(tensorflow_home):
    v = tf.Variable(0.0)
    theirs = tf.train.Checkpoint(v=v)
    theirs.restore(tf.train.latest_checkpoint(tensorflow_home))
    with CheckpointManager(theirs, tensorflow_home, 3) as manager:
        with pytest.warns(rekindle.TakeoverWarning):
            manager.save()
        v.assign(0.0)
        manager.restore_or_initialize()
    assert v.numpy() == 5


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["ckpt-5.index", "ckpt-5.data-00000-of-00001"], "ckpt-5"),
        (
            ["a-9.index", "a-9.data-00000-of-00002", "a-10.index", "a-10.data-00000-of-00001"],
            "a-10",
        ),
        (["model.index", "model.data-00000-of-00001"], "model"),
        (["ckpt-5.index"], None),
        (["ckpt-5.data-00000-of-00001"], None),
        (["index", "a.txt"], None),
    ],
)
def test_they_are_known_by_their_files_without_tensorflows_list(names, found, tmp_path):
    for name in names:
        (tmp_path / name).touch()
    if found is None:
        assert latest_checkpoint(tmp_path) is None
    else:
        with pytest.warns(rekindle.TakeoverWarning, match=f"{tmp_path}/{found}"):
            assert latest_checkpoint(tmp_path) is None


def test_the_list_alone_is_a_sign_and_ours_is_none(tmp_path):
    with manager_of(tmp_path / "ours") as manager:
        manager.save()
    (tmp_path / "ours" / "ckpt-1.json").unlink()
    assert latest_checkpoint(tmp_path / "ours") is None
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "ckpt-7"\n')
    with pytest.warns(rekindle.TakeoverWarning, match="ckpt-7"):
        latest_checkpoint(tmp_path)
