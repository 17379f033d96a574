""" "auto" saves as often as its bound allows, whatever saves cost."""

from __future__ import annotations

import itertools
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timed_training import Training

from rekindle._policy.schedule import _FIRST_AFTER


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
