"""The interval between saves, counted in steps, in TensorFlow and here."""

from __future__ import annotations

import pytest
import tensorflow as tf
from systems import names


@pytest.fixture
def step():
    return tf.Variable(0, dtype=tf.int64)


def saved_at(manager, step, steps, **how):
    """The steps among `steps` at which the manager saves."""
    saved = []
    for at in steps:
        step.assign(at)
        if manager.save(**how) is not None:
            saved.append(at)
    return saved


def test_an_interval_of_two(system, step, home):
    checkpoint = system.checkpoint(step=step)
    manager = system.manager(checkpoint, home, None, step_counter=step, checkpoint_interval=2)
    assert manager.save() == f"{home}/ckpt-1"
    step.assign(1)
    assert manager.save() is None
    step.assign(2)
    assert manager.save() == f"{home}/ckpt-2"
    assert manager.save() is None
    step.assign(3)
    assert manager.save() is None
    assert int(checkpoint.save_counter) == 2
    assert names(manager.checkpoints) == ["ckpt-1", "ckpt-2"]


def test_without_the_check_every_step_is_saved_and_none_twice(system, step, home):
    checkpoint = system.checkpoint(step=step)
    manager = system.manager(checkpoint, home, None, step_counter=step, checkpoint_interval=5)
    assert saved_at(manager, step, [0, 1, 1, 2, 2, 3], check_interval=False) == [0, 1, 2, 3]


def test_without_an_interval_a_step_is_saved_as_often_as_asked(system, step, home):
    manager = system.manager(system.checkpoint(step=step), home, step_counter=step)
    assert saved_at(manager, step, [1, 1, 1]) == [1, 1, 1]


def test_the_interval_counts_from_the_last_saved_step(system, step, home):
    checkpoint = system.checkpoint(step=step)
    manager = system.manager(checkpoint, home, None, step_counter=step, checkpoint_interval=5)
    assert saved_at(manager, step, range(13)) == [0, 5, 10]
    # Not a multiple of five: five steps later than this one.
    step.assign(13)
    manager.save(check_interval=False)
    assert saved_at(manager, step, range(13, 24)) == [18, 23]


def test_the_last_checkpoint_step_can_be_given(system, step, home):
    manager = system.manager(
        system.checkpoint(step=step),
        home,
        step_counter=step,
        checkpoint_interval=5,
        last_checkpoint_step=8,
    )
    assert saved_at(manager, step, range(8, 20)) == [13, 18]


def test_without_one_the_first_call_saves_whatever_the_step(system, step, home):
    manager = system.manager(
        system.checkpoint(step=step), home, step_counter=step, checkpoint_interval=5
    )
    assert saved_at(manager, step, range(3, 12)) == [3, 8]


def test_a_restore_sets_it_to_the_step_counter(system, step, home):
    checkpoint = system.checkpoint(step=step)
    manager = system.manager(checkpoint, home, None, step_counter=step, checkpoint_interval=5)
    step.assign(14)
    manager.save()
    step.assign(0)
    manager = system.manager(checkpoint, home, None, step_counter=step, checkpoint_interval=5)
    assert manager.restore_or_initialize() == f"{home}/ckpt-1"
    assert int(step) == 14
    assert saved_at(manager, step, range(14, 22)) == [19]


def test_a_new_manager_that_restored_nothing_saves_at_once(system, step, home):
    checkpoint = system.checkpoint(step=step)
    manager = system.manager(checkpoint, home, step_counter=step, checkpoint_interval=5)
    assert manager.restore_or_initialize() is None
    assert saved_at(manager, step, range(7)) == [0, 5]


def test_a_step_that_went_back_saves_only_without_the_check(system, step, home):
    checkpoint = system.checkpoint(step=step)
    manager = system.manager(checkpoint, home, None, step_counter=step, checkpoint_interval=5)
    assert saved_at(manager, step, [20, 3, 8, 13]) == [20]
    assert saved_at(manager, step, [13], check_interval=False) == [13]
    assert saved_at(manager, step, [17, 18]) == [18]


def test_the_counter_of_saves_stands_still_when_nothing_is_saved(system, step, home):
    checkpoint = system.checkpoint(step=step)
    manager = system.manager(checkpoint, home, step_counter=step, checkpoint_interval=2)
    manager.save()
    assert manager.save() is None
    assert int(checkpoint.save_counter) == 1


def test_a_given_number_does_not_pass_by_the_interval(system, step, home):
    checkpoint = system.checkpoint(step=step)
    manager = system.manager(checkpoint, home, step_counter=step, checkpoint_interval=2)
    assert manager.save(checkpoint_number=7) == f"{home}/ckpt-7"
    step.assign(1)
    assert manager.save(checkpoint_number=8) is None


def test_an_interval_without_a_counter_is_refused(system, step, home):
    with pytest.raises(ValueError, match="step_counter") as caught:
        system.manager(system.checkpoint(step=step), home, checkpoint_interval=2)
    expected = "`step_counter` should be passed if `checkpoint_interval` is not None."
    assert str(caught.value) == expected
