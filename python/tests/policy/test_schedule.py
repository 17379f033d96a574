"""When a save is due, only from the reports of the loop."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timed_training import Training

from rekindle._policy.schedule import schedule


def saves(save_freq, epochs, batches, steps_per_execution=1):
    """The (epoch, batch) after which a save is due. A batch of None means the end of the epoch."""
    plan, due = schedule(save_freq), []
    for epoch in range(epochs):
        for begin in range(0, batches, steps_per_execution):
            batch = begin + steps_per_execution - 1
            if plan.batch_ended(batch):
                due.append((epoch, batch))
        if plan.epoch_ended():
            due.append((epoch, None))
    return due


def test_each_epoch_means_the_ends_of_epochs():
    assert saves("epoch", 3, 4) == [(0, None), (1, None), (2, None)]


def test_false_means_never():
    assert saves(False, 3, 4) == []


def test_batches_are_counted_over_the_borders_of_epochs():
    assert saves(3, 3, 4) == [(0, 2), (1, 1), (2, 0), (2, 3)]


def test_steps_per_execution_counts_each_of_its_steps():
    assert saves(3, 2, 6, steps_per_execution=2) == [(0, 3), (1, 1), (1, 5)]


@given(st.integers(1, 30), st.integers(1, 5), st.integers(1, 12))
def test_a_save_is_due_exactly_each_so_many_batches(save_freq, epochs, batches):
    due = [epoch * batches + batch + 1 for epoch, batch in saves(save_freq, epochs, batches)]
    assert due == list(range(save_freq, epochs * batches + 1, save_freq))


@pytest.mark.parametrize(
    ("save_freq", "by_batch"),
    [("epoch", False), (False, False), (1, True), ("10 min", True), ("auto", True)],
)
def test_only_a_schedule_by_batches_asks_for_them(save_freq, by_batch):
    assert schedule(save_freq).by_batch is by_batch


def test_a_time_means_the_first_batch_end_after_that_long():
    assert Training("1 min", step=25.0).run(10).saves == [75.0, 150.0, 225.0]


def test_the_time_counts_from_the_end_of_the_last_save():
    assert Training("1 min", step=10.0, stall=15.0).run(14).saves == [60.0, 135.0]


def test_a_save_for_another_reason_restarts_the_clock():
    training = Training("1 min", step=10.0).run(3)
    training.save()
    assert training.run(7).saves == [30.0, 90.0]


def test_a_save_out_of_turn_restarts_the_clock():
    training = Training("1 min", step=10.0).run(3)
    training.plan.saved_out_of_turn()
    assert training.run(7).saves == [90.0]


def test_a_save_out_of_turn_says_nothing_of_what_saves_cost():
    plain = Training("auto", step=0.1, stall=0.2).run(200)
    other = Training("auto", step=0.1, stall=0.2).run(200)
    other.now += 50.0
    other.plan.saved_out_of_turn()
    assert other.plan.as_state() == plain.plan.as_state()
    other.run(2)
    assert other.plan.as_state()["step"] == plain.plan.as_state()["step"]


def test_a_save_that_takes_longer_than_the_interval_still_lets_a_batch_go_by():
    assert len(Training("10 s", step=10.0, stall=100.0).run(5).saves) == 5


def test_the_clock_begins_when_training_does():
    training = Training("1 min", step=25.0)
    training.now += 500.0  # Restoring.
    training.plan.epoch_began()
    training.now += 500.0  # Reading the trained batches of a resumed epoch.
    training.plan.epoch_began()
    assert training.run(3).saves == [1075.0]


def test_later_epochs_do_not_restart_the_clock():
    assert Training("1 min", step=25.0).run(6, epoch=1).saves == [75.0, 150.0]


@given(st.floats(0.5, 500.0), st.lists(st.floats(0.01, 90.0), min_size=1, max_size=60))
def test_between_saves_lies_the_time_and_no_whole_step_more(seconds, durations):
    training = Training(timedelta(seconds=seconds), step=lambda count: durations[count])
    training.run(len(durations))
    ends = [0.0, *training.saves]
    for begin, end in itertools.pairwise(ends):
        assert seconds - 1e-4 <= end - begin <= seconds + max(durations) + 1e-4
    assert training.now - 1000.0 - ends[-1] < seconds + 1e-4


def test_a_time_is_saved_with_the_run():
    assert Training("2 min", 1.0).plan.as_state() == {"save_freq": "time", "interval": 120.0}
    assert schedule("epoch").as_state() == {}
