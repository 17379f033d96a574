"""When a save is due, only from the reports of the loop."""

from __future__ import annotations

import itertools
import json
import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rekindle._policy.intervals import Auto
from rekindle._policy.schedule import _FIRST_AFTER, schedule


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


class Training:
    """A fit() with its own clock. Only the actions of the fit() move the clock.

    Args:
        save_freq: With `more`, the arguments of the schedule.
        step: Seconds that a step takes, or a function of the number of steps so far.
        stall: Seconds that a save holds training up, or a function of the number of saves so far.
        behind: The number of steps until a save is durable.
        slower: Extra seconds of each of these steps.
        fails: Whether a save fails, as a function of the number of saves so far.
    """

    def __init__(self, save_freq, step, stall=0.0, behind=0, slower=0.0, fails=None, **more):
        self.now = 1000.0
        chosen = Auto(**more) if more else save_freq
        self.plan = schedule(chosen, clock=lambda: self.now)
        self._step = step if callable(step) else lambda count: step
        self._stall = stall if callable(stall) else lambda count: stall
        self._behind, self._slower = behind, slower
        self._fails = fails or (lambda count: False)
        self._left = 0
        self.steps = 0
        self.saves = []
        self.cost = 0.0
        self.plan.epoch_began()

    def run(self, steps, epoch=10**9):
        for _ in range(steps):
            if self.steps and self.steps % epoch == 0:
                self.plan.epoch_ended()
                self.plan.epoch_began()
            self._one(self.steps % epoch)
        return self

    def _one(self, batch):
        if self._left:
            self.now += self._slower
            self.cost += self._slower
            self._left -= 1
        self.now += self._step(self.steps)
        self.steps += 1
        due = self.plan.batch_ended(batch)
        self._tell()
        if due:
            self.save()

    def save(self):
        held = self._stall(len(self.saves))
        self.saves.append(self.now - 1000.0)
        self.now += held
        self.cost += held
        self._left = self._behind
        self.plan.saved(held)
        self._tell()

    def _tell(self):
        self.plan.writing(self._left > 0, self._left == 0 and self._fails(len(self.saves)))

    @property
    def overhead(self):
        """The cost of the saves, as a share of the training."""
        return self.cost / (self.now - 1000.0 - self.cost)


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


def test_auto_takes_its_first_save_after_a_few_batches():
    training = Training("auto", step=0.01, stall=0.1).run(20)
    assert len(training.saves) == 1
    assert training.saves[0] == pytest.approx(_FIRST_AFTER[0] * 0.01)


def test_auto_takes_its_first_save_after_a_minute_where_batches_take_long():
    assert Training("auto", step=40.0, stall=0.1).run(4).saves == pytest.approx(
        [80.0, 120.1, 160.2]
    )


@pytest.mark.parametrize("bound", [0.01, 0.035, 0.08])
@pytest.mark.parametrize(
    "costs",
    [{"stall": 0.1}, {"behind": 20, "slower": 0.005}, {"stall": 0.05, "behind": 5, "slower": 0.01}],
)
def test_auto_keeps_what_saves_cost_within_the_bound_and_near_it(costs, bound):
    rng = random.Random(3)
    training = Training("auto", lambda n: rng.gauss(0.01, 0.001), max_overhead=bound, **costs)
    training.run(60_000)
    # The last save counts, although the training that must pay for it comes later.
    assert 0.8 * bound < training.overhead <= bound


@pytest.mark.parametrize("seed", range(5))
def test_auto_keeps_the_bound_where_each_save_costs_another_time(seed):
    rng = random.Random(seed)
    training = Training("auto", 0.01, lambda count: 0.05 * rng.lognormvariate(0.0, 0.8))
    while len(training.saves) < 200:
        training.run(1)
    assert 0.015 < training.overhead <= 0.035


@settings(max_examples=30, deadline=None)
@given(
    st.floats(0.005, 5.0),
    st.floats(0.0, 20.0),
    st.integers(0, 20),
    st.floats(0.0, 1.0),
    st.floats(0.02, 0.3),
)
def test_auto_keeps_the_bound_whatever_saves_cost(step, stall, behind, slower, bound):
    stall, slower = stall * step, slower * step
    training = Training("auto", step, stall, behind, slower, max_overhead=bound)
    one = stall + behind * slower
    while len(training.saves) < 15:
        training.run(1)
    assert training.cost - one <= bound * (training.now - 1000.0 - training.cost) + 1e-6


def test_auto_leaves_compiling_validation_and_flukes_out():
    def step(count):
        # The first step compiles; each epoch of 100 begins with a validation; some steps hang.
        return (
            30.0 if count == 0 else 2.0 if count % 100 == 0 else 1.0 if count % 331 == 7 else 0.01
        )

    training = Training("auto", step, behind=10, slower=0.01).run(8000, epoch=100)
    plan = training.plan.as_state()
    assert plan["step"] == pytest.approx(0.01)
    assert plan["interference"] == pytest.approx(0.1, rel=0.05)
    assert plan["interval"] == pytest.approx(0.1 + 0.1 / (0.9 * 0.035), rel=0.05)


def test_auto_is_not_misled_by_one_slow_save_and_follows_two():
    slow = {5}
    training = Training("auto", 0.01, lambda count: 5.0 if count in slow else 0.1)
    usual = 0.1 + 0.1 / (0.9 * 0.035)
    while len(training.saves) < 8:
        training.run(1)
    assert training.plan.as_state()["interval"] == pytest.approx(usual)
    slow.update(range(8, 100))
    while len(training.saves) < 10:
        training.run(1)
    assert training.plan.as_state()["interval"] > 5 * usual


def test_auto_finds_a_save_not_due_while_another_is_written():
    training = Training("auto", 0.01, 0.001, behind=400)
    training.run(5000)
    assert min(b - a for a, b in itertools.pairwise(training.saves)) >= 4.0


def test_auto_tries_a_failing_save_again_each_minute_and_learns_nothing_from_it():
    training = Training("auto", 1.0, 0.001, fails=lambda count: count <= 3)
    training.run(200)
    assert training.saves[:4] == pytest.approx([6.0, 66.001, 126.002, 186.003], abs=1.0)
    assert training.plan.as_state()["stall"] == 0.001


def test_auto_goes_on_with_what_the_run_before_measured():
    before = Training("auto", 0.01, 0.1).run(2000).plan.as_state()
    resumed = Training("auto", 0.01, 0.1)
    resumed.plan.restored(before)
    resumed.run(2000)
    assert resumed.saves[0] == pytest.approx(before["interval"], abs=0.02)


@pytest.mark.parametrize(
    "state",
    [None, [], {}, {"save_freq": "time", "interval": 5.0}, {"save_freq": "auto"}]
    + [
        {"save_freq": "auto", "stall": bad, "interference": 0.0, "duration": 0.1, "step": 0.1}
        for bad in ("1", -1.0, float("nan"), True, None)
    ],
)
def test_auto_starts_afresh_where_a_save_says_nothing_it_can_use(state):
    training = Training("auto", 0.01, 0.1)
    training.plan.restored(state)
    assert len(training.run(10).saves) == 1


def test_auto_tells_what_it_chose_once_for_each_marked_change():
    told = []
    training = Training("auto", 0.01, lambda count: 0.1 if count < 6 else 0.5)
    for _ in range(6000):
        training.run(1)
        news = training.plan.news()
        if news is not None:
            told.append(news.interval)
    assert told[0] == pytest.approx(3.27, abs=0.01)
    assert 2 <= len(told) <= 5
    assert all(not 2 / 3 < b / a < 1.5 for a, b in itertools.pairwise(told))
    assert (
        "Saving every 3.27 s (as often as the limit"
        in Training("auto", 0.01, 0.1).run(10).plan.news().in_words()
    )


def test_auto_is_saved_with_the_run():
    training = Training("auto", 0.01, 0.1, mean_time_between_failures=3600.0)
    chosen = training.run(2000).plan.as_state()
    assert chosen["mean_time_between_failures"] == 3600.0
    assert chosen["reason"] == "mean_time_between_failures"
    assert json.loads(json.dumps(chosen)) == chosen
