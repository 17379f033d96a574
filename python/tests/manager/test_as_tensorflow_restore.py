"""Restoring and its status, in TensorFlow and here."""

from __future__ import annotations

import pytest
import tensorflow as tf


def test_without_a_checkpoint_init_fn_is_called_once_and_none_returned(system, v, home):
    called = []
    manager = system.manager(system.checkpoint(v=v), home, init_fn=lambda: called.append(1) or 7)
    assert manager.restore_or_initialize() is None
    assert called == [1]


def test_without_init_fn_nothing_happens(system, v, home):
    v.assign(3.0)
    manager = system.manager(system.checkpoint(v=v), home)
    assert manager.restore_or_initialize() is None
    assert float(v) == 3.0


def test_with_a_checkpoint_init_fn_is_not_called(system, v, home):
    v.assign(4.0)
    system.manager(system.checkpoint(v=v), home).save()
    v.assign(0.0)
    called = []
    manager = system.manager(system.checkpoint(v=v), home, init_fn=lambda: called.append(1))
    assert manager.restore_or_initialize() == f"{home}/ckpt-1"
    assert called == []
    assert float(v) == 4.0


def test_init_fn_may_restore_another_checkpoint(system, v, home, tmp_path):
    v.assign(9.0)
    other = system.save_outside(system.checkpoint(v=v), str(tmp_path / "other" / "trained"))
    v.assign(0.0)
    checkpoint = system.checkpoint(v=v)
    manager = system.manager(
        checkpoint, home, init_fn=lambda: system.restore(checkpoint, other).expect_partial()
    )
    assert manager.restore_or_initialize() is None
    assert float(v) == 9.0


def test_the_latest_is_restored_by_its_path(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home)
    for content in (1.0, 2.0):
        v.assign(content)
        manager.save()
    v.assign(0.0)
    status = system.restore(manager.checkpoint, manager.latest_checkpoint)
    status.expect_partial()
    assert float(v) == 2.0


def test_any_that_is_kept_is_restored_by_its_path(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home, None)
    for content in (1.0, 2.0, 3.0):
        v.assign(content)
        manager.save()
    for content, path in zip((1.0, 2.0, 3.0), manager.checkpoints, strict=True):
        system.restore(manager.checkpoint, path).expect_partial()
        assert float(v) == content


def test_without_a_folder_there_is_no_latest(system, home):
    assert system.latest(home) is None


# Statuses. A manager over a tf.train.Checkpoint has the statuses of rekindle.Checkpoint.


def saved(system, home, **objects):
    return system.manager(system.checkpoint(**objects), home).save()


def test_everything_matched_is_consumed(system, v, home):
    path = saved(system, home, v=v)
    status = system.restore(system.checkpoint(v=v), path)
    assert status.assert_consumed() is not None
    assert status.assert_existing_objects_matched() is not None


def test_a_value_more_in_the_checkpoint_is_not_consumed(system, v, home):
    path = saved(system, home, v=v, more=tf.Variable(1.0))
    status = system.restore(system.checkpoint(v=v), path)
    status.assert_existing_objects_matched()
    with pytest.raises(AssertionError):
        status.assert_consumed()


def test_an_object_more_in_the_program_is_neither_matched_nor_consumed(system, v, home):
    v.assign(5.0)
    path = saved(system, home, v=v)
    v.assign(0.0)
    status = system.restore(system.checkpoint(v=v, more=tf.Variable(1.0)), path)
    with pytest.raises(AssertionError):
        status.assert_existing_objects_matched()
    with pytest.raises(AssertionError):
        status.assert_consumed()
    # The objects that matched were restored.
    assert float(v) == 5.0


def test_a_partial_restore_can_be_expected(system, v, home):
    path = saved(system, home, v=v, more=tf.Variable(1.0))
    status = system.restore(system.checkpoint(v=v, other=tf.Variable(2.0)), path)
    assert status.expect_partial() is status


def test_restoring_none_does_nothing_and_nothing_can_be_asserted_of_it(system, v):
    v.assign(3.0)
    status = system.restore(system.checkpoint(v=v), None)
    assert float(v) == 3.0
    with pytest.raises(AssertionError):
        status.assert_consumed()
    with pytest.raises(AssertionError):
        status.assert_existing_objects_matched()
    assert status.expect_partial() is status


def test_the_save_counter_comes_back(system, v, home):
    checkpoint = system.checkpoint(v=v)
    manager = system.manager(checkpoint, home)
    manager.save()
    manager.save()
    other = system.checkpoint(v=v)
    assert int(other.save_counter) == 0
    manager = system.manager(other, home)
    manager.restore_or_initialize()
    assert int(other.save_counter) == 2


def test_objects_inside_of_objects_come_back(system, v, home):
    class Net(tf.Module):
        def __init__(self, fill):
            super().__init__()
            self.parts = [tf.Variable([fill, fill]), tf.Variable(fill)]
            self.named = {"a": tf.Variable([fill])}

    path = saved(system, home, net=Net(2.0), inner=system.checkpoint(v=tf.Variable(4.0)))
    net = Net(0.0)
    checkpoint = system.checkpoint(net=net, inner=system.checkpoint(v=v))
    system.restore(checkpoint, path).assert_consumed()
    assert [part.numpy().tolist() for part in net.parts] == [[2.0, 2.0], 2.0]
    assert net.named["a"].numpy().tolist() == [2.0]
    assert float(v) == 4.0


@pytest.mark.parametrize("shape", [[None], None])
def test_a_variable_of_an_open_shape_takes_what_was_saved(system, home, shape):
    def make(values):
        return tf.Variable(values, shape=tf.TensorShape(shape))

    path = saved(system, home, v=make([1.0, 2.0, 3.0]))
    v = make([0.0])
    system.restore(system.checkpoint(v=v), path).assert_consumed()
    assert v.numpy().tolist() == [1.0, 2.0, 3.0]
