"""How often to save: the bound, failures, and the measurements."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle._policy import intervals
from rekindle._policy.intervals import Auto, Costs, Measurements, choose, daly, typical, young

seconds = st.floats(1e-4, 1e4)
shares = st.floats(0.001, 1.0)


def costs(stall=0.1, interference=0.0, duration=0.1, step=0.01):
    return Costs(stall, interference, duration, step)


def planned(share):
    return intervals.MARGIN * share


# The bound


def test_the_interval_is_the_shortest_that_the_bound_allows():
    plan = choose(costs(0.08, 0.02), Auto(0.035))
    assert plan.reason == "max_overhead"
    assert plan.overhead == pytest.approx(planned(0.035))
    assert plan.interval == pytest.approx(0.1 + 0.1 / planned(0.035))


@given(seconds, seconds, seconds, seconds, shares, st.none() | seconds)
def test_the_overhead_is_within_the_bound_whatever_saves_cost(a, b, c, d, share, mtbf):
    plan = choose(costs(a, b, c, d), Auto(share, mtbf))
    assert plan.overhead <= planned(share) * (1 + 1e-9)


@given(seconds, st.floats(1, 100), shares)
def test_a_dearer_save_is_taken_less_often(cost, factor, share):
    goal = Auto(share)
    assert choose(costs(cost), goal).interval <= choose(costs(cost * factor), goal).interval


@given(seconds, shares, st.floats(1, 100), st.none() | seconds)
def test_a_wider_bound_never_makes_saves_rarer(cost, share, factor, mtbf):
    narrow, wide = Auto(share, mtbf), Auto(min(1.0, share * factor), mtbf)
    assert choose(costs(cost), wide).interval <= choose(costs(cost), narrow).interval


@given(seconds, seconds, seconds, shares)
def test_the_next_save_waits_for_none_and_leaves_a_step_to_measure(cost, duration, step, share):
    plan = choose(costs(cost, 0.0, duration, step), Auto(share))
    assert plan.interval >= duration + step / 2


def test_saves_that_cost_nothing_are_a_second_apart():
    plan = choose(costs(0.0, 0.0, 0.0), Auto(0.035))
    assert (plan.interval, plan.reason, plan.overhead) == (1.0, "shortest", 0.0)


@given(seconds, shares, seconds)
def test_knowing_how_often_it_fails_never_makes_saves_more_frequent(cost, share, mtbf):
    known = choose(costs(cost), Auto(share, mtbf)).interval
    assert known >= choose(costs(cost), Auto(share)).interval


def test_where_the_bound_allows_it_failures_decide():
    plan = choose(costs(1.0), Auto(0.5, 3600.0))
    assert plan.reason == "mean_time_between_failures"
    assert plan.interval == pytest.approx(1.0 + daly(1.0, 3600.0))


def test_where_the_bound_forbids_the_optimum_the_bound_decides():
    plan = choose(costs(10.0), Auto(0.01, 3600.0))
    assert plan.reason == "max_overhead"
    assert plan.interval > 10.0 + daly(10.0, 3600.0)


# Failures


def test_young_and_daly_are_what_their_papers_say():
    assert young(10.0, 2000.0) == 200.0
    # sqrt(2 d M) (1 + sqrt(d / 2M) / 3 + d / 18M) - d
    assert daly(10.0, 2000.0) == pytest.approx(200 * (1 + 0.05 / 3 + 0.0025 / 9) - 10)
    assert daly(5000.0, 2000.0) == 2000.0


@given(st.floats(1e-3, 10), st.floats(1e5, 1e8))
def test_where_failures_are_rare_both_formulas_agree(cost, mtbf):
    assert daly(cost, mtbf) == pytest.approx(young(cost, mtbf), rel=0.01)


class Failing:
    """Runs that fail at random times, at any point, and are started again.

    Args:
        mtbf: Mean time between failures.
        restart: Time from a failure until training continues.
        latency: Time from the end of the stall until a save is durable.
    """

    def __init__(self, mtbf, restart=0.0, latency=0.0, failures=400_000):
        self._lives = np.random.default_rng(20).exponential(mtbf, failures)
        self._lost = restart + latency

    def lost(self, interval, cost):
        """Lost time per second of training that was kept."""
        saves = np.floor(np.maximum(self._lives - self._lost, 0.0) / interval)
        kept = saves.sum() * (interval - cost)
        return (self._lives.sum() - kept) / kept

    def best(self, cost, mtbf):
        """The lost time at the best interval, found by search."""
        works = young(cost, mtbf) * np.geomspace(0.2, 5.0, 150)
        return min(self.lost(cost + work, cost) for work in works)


CASES = [(0.1, 600.0), (1.0, 3600.0), (30.0, 3600.0), (300.0, 3600.0), (1200.0, 3600.0)]


@pytest.mark.parametrize(("cost", "mtbf"), CASES)
@pytest.mark.parametrize(("restart", "latency"), [(0.0, 0.0), (60.0, 0.0), (0.0, 20.0)])
def test_what_is_lost_at_the_chosen_interval_is_within_5_percent_of_the_best(
    cost, mtbf, restart, latency
):
    failing = Failing(mtbf, restart, latency)
    measured = Measurements()
    for _ in range(4):
        measured.save_began(cost)
        measured.save_ended()
    plan = choose(measured.costs, Auto(1.0, mtbf))
    assert plan.reason == "mean_time_between_failures"
    assert failing.lost(plan.interval, cost) <= 1.05 * failing.best(cost, mtbf)


def test_the_simulation_tells_a_bad_interval_from_the_best():
    failing, cost, mtbf = Failing(3600.0), 30.0, 3600.0
    best = failing.best(cost, mtbf)
    interval = cost + daly(cost, mtbf)
    assert failing.lost(interval * 2, cost) > 1.1 * best
    assert failing.lost(interval / 2, cost) > 1.1 * best


def test_the_simulation_agrees_with_the_expected_loss():
    """E[time] for each second of work = M (exp((w + c) / M) - 1) / w, for exponential failures."""
    cost, mtbf, interval = 30.0, 3600.0, 500.0
    work = interval - cost
    expected = mtbf * math.expm1(interval / mtbf) / work - 1
    assert Failing(mtbf).lost(interval, cost) == pytest.approx(expected, rel=0.01)


# Measurements


def test_what_varies_is_feared_to_be_dearer_than_it_was_seen_to_be():
    steady, varying = Measurements(), Measurements()
    for stall in (0.1, 0.1, 0.1, 0.1, 0.1):
        save(steady, stall)
    for stall in (0.1, 0.05, 0.15, 0.05, 0.15):
        save(varying, stall)
    assert steady.costs.doubt == 0.0
    assert varying.costs.doubt == pytest.approx(0.05 / 3**0.5)
    assert varying.costs.stall == pytest.approx(0.1)
    goal = Auto(0.035)
    longer = choose(varying.costs, goal).interval / choose(steady.costs, goal).interval
    assert longer == pytest.approx(1 + 0.5 / 3**0.5)


@given(st.lists(st.floats(0.5, 1.5), min_size=2, max_size=40), st.floats(0, 1e6))
def test_one_outlier_cannot_move_what_is_typical_out_of_what_else_was_seen(values, outlier):
    found = typical([*values, outlier])
    assert min([*values, outlier]) - 1e-9 <= found <= max(values) + 1e-9


def test_what_is_typical_sees_what_happens_again():
    assert typical([1.0] * 7 + [9.0]) == 1.0
    assert typical([1.0] * 6 + [9.0] * 2) == pytest.approx(3.0)
    assert typical([4.0]) == 4.0
    assert typical([]) == 0.0


def save(measured, stall, disturbed=()):
    measured.save_began(stall)
    for step in disturbed:
        measured.stepped(step, disturbed=True)
    measured.save_ended()


def steps(measured, seconds, count=20):
    for _ in range(count):
        measured.stepped(seconds, disturbed=False)


def test_interference_is_what_steps_take_longer_while_a_save_is_written():
    measured = Measurements()
    steps(measured, 0.01)
    save(measured, 0.02, [0.015] * 10)
    found = measured.costs
    assert (found.stall, found.step) == (pytest.approx(0.02), pytest.approx(0.01))
    assert found.interference == pytest.approx(0.05)
    assert found.duration == pytest.approx(0.17)


def test_steps_that_are_faster_by_chance_are_no_gain():
    measured = Measurements()
    steps(measured, 0.01)
    save(measured, 0.02, [0.008] * 10)
    assert measured.costs.interference == 0.0


def test_a_single_slow_step_does_not_hide_interference():
    measured = Measurements()
    measured.stepped(30.0, disturbed=False)
    steps(measured, 0.01)
    save(measured, 0.0, [0.02] * 10)
    assert measured.costs.interference == pytest.approx(0.1)


def test_the_first_save_counts_until_there_is_another():
    measured = Measurements()
    assert measured.costs is None
    save(measured, 5.0)
    assert measured.costs.stall == 5.0
    save(measured, 0.1)
    assert measured.costs.stall == pytest.approx(0.1)


def test_what_the_run_before_measured_counts_until_there_is_a_save():
    measured = Measurements()
    measured.recall(costs(3.0, 1.0, 4.0))
    assert measured.costs.total == 4.0
    save(measured, 0.1)
    assert measured.costs.total == pytest.approx(0.1)


@given(st.floats(0.01, 1.0), st.floats(2.0, 50.0))
def test_it_follows_costs_that_change(before, factor):
    measured = Measurements()
    for _ in range(20):
        save(measured, before)
    save(measured, before * factor)
    assert measured.costs.stall == pytest.approx(before)
    save(measured, before * factor)
    assert measured.costs.stall > before * (1 + (factor - 1) / 5)
    for _ in range(7):
        save(measured, before * factor)
    assert measured.costs.stall == pytest.approx(before * factor)


def test_only_marked_changes_are_told():
    first = choose(costs(0.1), Auto(0.035))
    assert intervals.is_marked(first, None)
    assert not intervals.is_marked(choose(costs(0.14), Auto(0.035)), first)
    assert intervals.is_marked(choose(costs(0.16), Auto(0.035)), first)
    assert intervals.is_marked(choose(costs(0.05), Auto(0.035)), first)
