"""When a save is due, from what the loop reports alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle._schedule import schedule


def saves(save_freq, epochs, batches, steps_per_execution=1):
    """The (epoch, batch) after which a save is due; a batch of None is the end of the epoch."""
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


@pytest.mark.parametrize(("save_freq", "by_batch"), [("epoch", False), (False, False), (1, True)])
def test_only_a_schedule_by_batches_asks_for_them(save_freq, by_batch):
    assert schedule(save_freq).by_batch is by_batch
