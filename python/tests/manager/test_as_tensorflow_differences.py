"""Intended differences from TensorFlow: the behaviour of both, side by side."""

from __future__ import annotations

import pathlib
import shutil

import numpy as np
import pytest
import systems
import tensorflow as tf
from systems import names, value

import rekindle


def test_a_manager_that_never_restored_numbers_on_and_tensorflow_writes_over(system, v, home):
    v.assign(1.0)
    system.manager(system.checkpoint(v=v), home).save()
    v.assign(2.0)
    manager = system.manager(system.checkpoint(v=v), home)
    expected = "ckpt-1" if system.is_tensorflow else "ckpt-2"
    assert manager.save() == f"{home}/{expected}"
    assert value(system, f"{home}/ckpt-1") == (2.0 if system.is_tensorflow else 1.0)


def test_checkpoints_of_a_removed_folder_are_listed_by_tensorflow_alone(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home)
    manager.save()
    shutil.rmtree(home)
    manager.save()
    expected = ["ckpt-1", "ckpt-2"] if system.is_tensorflow else ["ckpt-2"]
    assert names(manager.checkpoints) == expected


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("max_to_keep", True),
        ("max_to_keep", 1.5),
        ("keep_checkpoint_every_n_hours", 0),
        ("keep_checkpoint_every_n_hours", -1.0),
        ("checkpoint_interval", 0),
        ("checkpoint_interval", -3),
    ],
)
def test_arguments_that_mean_nothing_are_refused_and_tensorflow_takes_them(
    system, v, home, argument, given
):
    def make():
        more = {"step_counter": tf.Variable(0), argument: given}
        return system.manager(system.checkpoint(v=v), home, **more)

    if system.is_tensorflow:
        make()
    else:
        with pytest.raises(rekindle.ArgumentError, match=argument) as caught:
            make()
        assert caught.value.argument == argument
        assert caught.value.value == given


def test_a_number_below_zero_is_refused_and_tensorflow_takes_it(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home)
    if system.is_tensorflow:
        assert manager.save(checkpoint_number=-1) == f"{home}/ckpt--1"
    else:
        with pytest.raises(rekindle.ArgumentError, match="checkpoint_number=-1"):
            manager.save(checkpoint_number=-1)
        assert manager.checkpoint.save_counter == 0


def test_two_managers_at_once_are_refused_and_tensorflow_only_documents_it(system, v, home):
    first = system.manager(system.checkpoint(v=v), home)
    first.save()
    second = type(first)(system.checkpoint(v=v), home, 3)
    if system.is_tensorflow:
        second.save()
    else:
        with pytest.raises(rekindle.LockError):
            second.save()


def test_a_save_by_other_means_makes_tensorflow_forget_what_it_managed(system, v, home):
    system.manager(system.checkpoint(v=v), home).save()
    system.save_outside(system.checkpoint(v=v), f"{home}/best")
    manager = system.manager(system.checkpoint(v=v), home)
    assert names(manager.checkpoints) == ([] if system.is_tensorflow else ["ckpt-1"])


def test_a_manager_of_another_name_leaves_the_first_ones_alone_and_tensorflow_does_not(
    system, v, home
):
    system.manager(system.checkpoint(v=v), home, 1, checkpoint_name="a").save()
    manager = system.manager(system.checkpoint(v=v), home, 1, checkpoint_name="b")
    assert names(manager.checkpoints) == (["a-1"] if system.is_tensorflow else [])
    manager.save()
    assert system.on_disk(home) == ({"b-1"} if system.is_tensorflow else {"a-1", "b-1"})


def test_a_save_that_failed_advances_the_counter_of_tensorflow_alone(system, v, home):
    pathlib.Path(home).write_text("no folder")
    step = tf.Variable(0)
    checkpoint = system.checkpoint(v=v)
    manager = system.manager(checkpoint, home, step_counter=step, checkpoint_interval=2)
    with pytest.raises((tf.errors.OpError, rekindle.SaveError)):
        manager.save()
    assert int(checkpoint.save_counter) == (1 if system.is_tensorflow else 0)
    pathlib.Path(home).unlink()
    # TensorFlow believes that it saved this step.
    assert manager.save() == (None if system.is_tensorflow else f"{home}/ckpt-1")


def flip(path):
    data = bytearray(path.read_bytes())
    data[0 if path.suffix == ".data-00000-of-00001" else -1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["flipped", "deleted"])
def test_from_a_damaged_newest_the_one_before_is_taken_and_tensorflow_stops(system, v, home, how):
    manager = system.manager(system.checkpoint(v=v), home)
    for content in (1.0, 2.0):
        v.assign(content)
        manager.save()
    system.done()
    for path in pathlib.Path(home).glob("ckpt-2.*"):
        if how == "deleted":
            path.unlink()
        elif path.suffix in (".safetensors", ".data-00000-of-00001"):
            flip(path)
    v.assign(0.0)
    manager = system.manager(system.checkpoint(v=v), home)
    if system.is_tensorflow:
        with pytest.raises((tf.errors.DataLossError, tf.errors.NotFoundError)):
            manager.restore_or_initialize()
        return
    if how == "deleted":
        assert manager.restore_or_initialize() == f"{home}/ckpt-1"
    else:
        with pytest.warns(rekindle.DamageWarning):
            assert manager.restore_or_initialize() == f"{home}/ckpt-1"
    assert float(v) == 1.0


@pytest.mark.parametrize("content", [b"", b"\0garbage\xff"])
def test_without_its_state_file_tensorflow_does_not_begin(system, v, home, content):
    v.assign(1.0)
    system.manager(system.checkpoint(v=v), home).save()
    system.done()
    pathlib.Path(home, "checkpoint").write_bytes(content)
    v.assign(0.0)
    if system.is_tensorflow:
        with pytest.raises(ValueError, match=r"Invalid checkpoint state|codec can't decode"):
            system.manager(system.checkpoint(v=v), home)
        return
    manager = system.manager(system.checkpoint(v=v), home)
    assert manager.restore_or_initialize() == f"{home}/ckpt-1"
    assert float(v) == 1.0


def test_what_does_not_fit_changes_nothing_and_in_tensorflow_a_part(system, home):
    path = system.manager(
        system.checkpoint(a=tf.Variable([1.0]), b=tf.Variable([1.0, 2.0])), home
    ).save()
    a, b = tf.Variable([0.0]), tf.Variable([0.0])
    with pytest.raises((ValueError, rekindle.MismatchError)):
        system.restore(system.checkpoint(a=a, b=b), path)
    assert a.numpy() == (1.0 if system.is_tensorflow else 0.0)


def test_a_checkpoint_that_is_not_there_is_an_error_of_ones_own(system, v, home):
    with pytest.raises((tf.errors.NotFoundError, rekindle.RestoreError)):
        system.restore(system.checkpoint(v=v), f"{home}/ckpt-9")


def test_a_partial_restore_that_nobody_asks_about_is_warned_of_and_logged_by_tensorflow(
    system, v, home
):
    checkpoint = system.checkpoint(v=v, more=tf.Variable(1.0))
    path = system.manager(checkpoint, home).save()
    if system.is_tensorflow:
        system.restore(system.checkpoint(v=v), path)
        return
    with pytest.warns(rekindle.MismatchWarning, match=r"more: expected nothing, found a value"):
        system.restore(system.checkpoint(v=v), path)


class Late(tf.Module):
    """Makes its variable at the first call."""

    w = None

    def __call__(self):
        if self.w is None:
            self.w = tf.Variable(0.0)
        return self.w


def test_a_variable_made_after_the_restore_has_its_value_in_tensorflow_alone(system, home):
    net = Late()
    net().assign(3.0)
    path = system.manager(system.checkpoint(net=net), home).save()
    late = Late()
    status = system.restore(system.checkpoint(net=late), path)
    if not system.is_tensorflow:
        with pytest.raises(rekindle.UnmatchedError, match=r"net/w: expected nothing, found"):
            status.assert_consumed()
    assert float(late()) == (3.0 if system.is_tensorflow else 0.0)


def test_what_tensorflows_manager_saved_is_left_alone_and_not_restored(v, home):
    tf.train.CheckpointManager(tf.train.Checkpoint(v=v), home, 3).save()
    there = {path.name: path.read_bytes() for path in pathlib.Path(home).iterdir()}
    with rekindle.CheckpointManager(rekindle.Checkpoint(v=v), home, 1) as manager:
        assert manager.checkpoints == []
        with pytest.warns(rekindle.TakeoverWarning, match="TensorFlow's own"):
            assert manager.latest_checkpoint is None
        assert manager.restore_or_initialize() is None
        manager.save()
        manager.save()
    after = {path.name: path.read_bytes() for path in pathlib.Path(home).iterdir()}
    assert {name: after[name] for name in there} == there
    assert tf.train.latest_checkpoint(home) == f"{home}/ckpt-1"
    assert rekindle.latest_checkpoint(home) == f"{home}/ckpt-2"


@pytest.mark.parametrize(
    "step_counter",
    [lambda checkpoint: lambda: checkpoint.step, lambda checkpoint: "step"],
    ids=["a function", "a name"],
)
def test_a_step_that_is_no_variable_can_be_counted_too(home, step_counter):
    checkpoint = rekindle.Checkpoint(step=0)
    counter = step_counter(checkpoint)
    more = {"step_counter": counter, "checkpoint_interval": 2}
    with rekindle.CheckpointManager(checkpoint, home, 9, **more) as manager:
        saved = []
        for step in range(6):
            checkpoint.step = step
            if manager.save() is not None:
                saved.append(step)
    assert saved == [0, 2, 4]


@pytest.mark.parametrize("framework", ["numpy", "jax", "torch", "keras"])
def test_a_number_may_be_a_scalar_of_any_framework(v, home, framework):
    number = np.asarray(6)
    if framework == "jax":
        import jax.numpy as jnp

        number = jnp.asarray(6)
    if framework == "torch":
        import torch

        number = torch.tensor(6)
    if framework == "keras":
        import keras

        number = keras.Variable(6, dtype="int32")
    with systems.System("rekindle").manager(rekindle.Checkpoint(v=v), home) as manager:
        assert manager.save(checkpoint_number=number) == f"{home}/ckpt-6"
