"""Whether a command is started again: only the decision, without a process."""

from __future__ import annotations

import signal

import pytest

from rekindle._saving.run_report import Place
from rekindle._supervisor import policy
from rekindle._supervisor.policy import Ended, Rules, Tally

RULES = Rules(backoff=8.0, max_backoff=100.0)


def outcomes(ends, rules=RULES, jitter=1.0):
    """The decisions after starts that end like this, one after the other, up to the last one."""
    tally, found = Tally(), []
    for ended in ends:
        decision = policy.decide(rules, tally, ended, jitter)
        found.append(decision)
        tally = decision.tally
        if decision.outcome != "again":
            break
    return found


def crash(*, progress=False, status=1, **more):
    return Ended(status, progress, **more)


class TestWhatIsAnEnd:
    def test_exit_code_0_has_completed_whatever_was_passed_on(self):
        for passed_on in (frozenset(), frozenset({signal.SIGTERM})):
            ended = Ended(0, passed_on=passed_on)
            assert outcomes([ended])[-1].outcome == "completed"

    @pytest.mark.parametrize("status", [1, 2, 134, 137, 143, 139, 255])
    def test_every_other_end_is_followed_by_a_start(self, status):
        assert outcomes([crash(status=status, progress=True)])[-1].outcome == "again"

    def test_a_command_that_cannot_be_started_is_not_tried_again(self):
        found = outcomes([Ended(127, was_started=False)])
        assert [one.outcome for one in found] == ["gave_up"]

    def test_a_failure_after_training_was_complete_does_not_begin_it_anew(self):
        found = outcomes([crash(progress=True, is_complete=True)])
        assert found[-1].outcome == "gave_up"
        assert "complete" in found[-1].why


class TestProgress:
    def test_three_restarts_without_it_are_the_end(self):
        found = outcomes([crash()] * 10)
        assert [one.outcome for one in found] == ["again"] * 3 + ["gave_up"]
        assert found[-1].why == "3 restarts in a row made no progress"

    def test_after_a_start_with_progress_there_are_three_more(self):
        found = outcomes([crash(progress=True), *[crash()] * 10])
        assert [one.outcome for one in found] == ["again"] * 3 + ["gave_up"]

    def test_each_start_with_progress_forgives_those_before(self):
        ends = [crash(), crash(), crash(progress=True)] * 20
        assert {one.outcome for one in outcomes(ends)} == {"again"}

    @pytest.mark.parametrize("idle", range(5))
    def test_how_many_are_borne_is_the_callers(self, idle):
        found = outcomes([crash()] * 10, Rules(max_idle_restarts=idle))
        assert len(found) == idle + 1

    def test_with_none_borne_progress_is_still_followed_by_a_start(self):
        found = outcomes([crash(progress=True), crash()], Rules(max_idle_restarts=0))
        assert [one.outcome for one in found] == ["again", "gave_up"]

    @pytest.mark.parametrize("limit", range(4))
    def test_a_limit_holds_in_spite_of_it(self, limit):
        found = outcomes([crash(progress=True)] * 10, Rules(max_restarts=limit))
        assert [one.outcome for one in found] == ["again"] * limit + ["gave_up"]


class TestWaiting:
    def test_it_doubles_up_to_a_cap_and_begins_anew_after_progress(self):
        ends = [crash()] * 6 + [crash(progress=True), crash(), crash()]
        found = outcomes(ends, Rules(backoff=8.0, max_backoff=100.0, max_idle_restarts=9))
        assert [one.wait for one in found] == [8, 16, 32, 64, 100, 100, 8, 8, 16]

    def test_chance_takes_up_to_half_of_it(self):
        assert [outcomes([crash()], jitter=at)[0].wait for at in (0.0, 0.5, 1.0)] == [4, 6, 8]

    def test_however_many_there_were_it_is_a_number(self):
        rules = Rules(max_idle_restarts=10**6, max_backoff=1e300)
        decision = policy.decide(rules, Tally(starts=9, stuck=10**5), crash(), 1.0)
        assert decision.wait == rules.backoff * 2.0**60

    def test_a_backoff_of_0_is_none(self):
        assert outcomes([crash()], Rules(backoff=0.0))[0].wait == 0


class TestPreemption:
    def test_with_progress_it_is_no_failure_and_is_not_waited_for(self):
        ends = [crash(status=75, progress=True)] * 50
        found = outcomes(ends, Rules(max_restarts=0))
        assert {one.outcome for one in found} == {"again"}
        assert {one.wait for one in found} == {0.0}

    def test_without_progress_it_is_a_failure(self):
        found = outcomes([crash(status=75)] * 10)
        assert [one.outcome for one in found] == ["again"] * 3 + ["gave_up"]
        assert found[0].wait == 8

    def test_its_code_is_the_callers(self):
        rules = Rules(preempted_code=99)
        assert outcomes([crash(status=99, progress=True)], rules)[0].wait == 0
        assert outcomes([crash(status=75, progress=True)], rules)[0].wait > 0


class TestPassedOnSignals:
    @pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
    @pytest.mark.parametrize("status", [75, 1, 137])
    def test_asked_to_end_it_ends_however_the_command_did(self, name, status):
        number = getattr(signal, name)
        ended = crash(status=status, progress=True, passed_on=frozenset({number}))
        decision = outcomes([ended])[0]
        assert (decision.outcome, decision.why) == ("stopped", f"{name} asked the command to end")

    @pytest.mark.parametrize("name", ["SIGUSR1", "SIGUSR2"])
    def test_a_warning_is_an_end_when_the_command_ended_by_it(self, name):
        number = getattr(signal, name)
        for status, outcome in ((75, "stopped"), (128 + number, "stopped"), (1, "again")):
            ended = crash(status=status, progress=True, passed_on=frozenset({number}))
            assert outcomes([ended])[0].outcome == outcome


class TestPlaces:
    def place(self, serial, step=None, epoch=None, batch=None):
        return Place(f"ckpt-{serial}", serial, step, epoch, batch)

    def test_a_run_that_saves_and_begins_anew_gets_nowhere(self):
        assert not self.place(9, step=100).is_beyond(self.place(4, step=100))
        assert not self.place(9, step=50).is_beyond(self.place(4, step=100))
        assert self.place(5, step=101).is_beyond(self.place(4, step=100))

    def test_without_steps_epochs_and_batches_count(self):
        assert self.place(5, epoch=2, batch=1).is_beyond(self.place(4, epoch=2, batch=0))
        assert self.place(5, epoch=3).is_beyond(self.place(4, epoch=2, batch=7))
        assert not self.place(5, epoch=2).is_beyond(self.place(4, epoch=2))

    def test_without_either_the_order_of_saving_counts(self):
        assert self.place(5).is_beyond(self.place(4))
        assert not self.place(4).is_beyond(self.place(4))
        assert self.place(5).is_beyond(self.place(4, step=100))

    def test_any_save_is_beyond_none(self):
        assert self.place(1, step=0).is_beyond(None)


def test_an_end_is_told_by_its_name():
    assert policy.how(3) == "exit code 3"
    assert policy.how(137) == "SIGKILL (out of memory?)"
    assert policy.how(134) == "SIGABRT"
    assert policy.how(255) == "exit code 255"
