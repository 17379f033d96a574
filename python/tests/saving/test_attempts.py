"""The attempts of a run, from its checkpoints and its witness."""

from __future__ import annotations

import dataclasses
import json

import pytest
from pulses import THEN, pulse

from rekindle._format.manifest import Manifest, Position
from rekindle._format.witness import END, NO_CHECKPOINT, START, STEP, Record
from rekindle._saving.attempts import MOST, Attempt, Attempts

FIRST = Attempt(1, THEN, to_epoch=2, to_batch=5, until=THEN + 60, held=0.5)


def manifest(state):
    return Manifest(4, 4, "run", THEN, "1", Position(25, 2, 5), {}, {}, state)


def saved(*rows, **more):
    """The attempts in a checkpoint that has these."""
    state = Attempts(rows, **more).as_state()
    return Attempts.of(manifest(json.loads(json.dumps(state))))


def test_they_come_back_from_a_checkpoint():
    rows = (FIRST, Attempt(2, None, 4, THEN, 2, 5, 3, 0, THEN, "preempted", 1.5, "verified"))
    assert saved(*rows, epochs=5, batches=10) == Attempts(rows, 5, 10)


def test_a_checkpoint_has_the_newest_and_the_number_of_all():
    found = saved(*(Attempt(number) for number in range(1, 201)))
    assert [row.number for row in found.rows] == list(range(201 - MOST, 201))


def test_an_older_checkpoint_has_none_but_knows_its_batches():
    assert Attempts.of(manifest({})) == Attempts()
    assert Attempts.of(manifest({"fingerprint": {"batches in an epoch": 8}})).batches == 8


@pytest.mark.parametrize(
    "state",
    [
        5,
        [],
        {"rows": 5},
        {"rows": [5, None, [], "x"]},
        {"rows": [{"number": "1"}, {"number": 0}, {"number": -1}, {"number": True}]},
        {"rows": [dataclasses.asdict(FIRST) | {"epoch": -1}]},
        {"rows": [dataclasses.asdict(FIRST) | {"to_batch": 10**400}]},
        {"rows": [], "epochs": "many", "batches": [3]},
    ],
)
def test_a_forged_state_has_none(state):
    assert Attempts.of(manifest({"attempts": state})) == Attempts()


def test_values_of_a_forged_row_that_make_no_sense_are_left_out():
    row = dataclasses.asdict(FIRST) | {
        "began": 10**400,
        "until": "now",
        "saved": [],
        "held": -3.0,
        "ended": {},
        "evidence": ["verified"],
        "checkpoint": 1.5,
    }
    (found,) = Attempts.of(manifest({"attempts": {"rows": [row]}})).rows
    assert found == Attempt(1, to_epoch=2, to_batch=5, ended="unknown")


class TestTheWitness:
    """What the witness adds to the attempts of the checkpoint."""

    def test_the_pulse_says_where_the_last_attempt_was_seen_last(self):
        (row,) = saved(FIRST).followed(pulse(2, 8, 70.0), []).rows
        assert (row.end, row.until, row.ended, row.held) == ((2, 8), THEN + 70, "running", 0.5)
        assert saved(FIRST).followed(pulse(2, 8, 70.0), []).over().rows[0].ended == "died"

    def test_a_pulse_from_before_the_checkpoint_does_not_go_back(self):
        (row,) = saved(FIRST).followed(pulse(2, 3, 59.5), []).rows
        assert (row.end, row.until) == ((2, 5), THEN + 60)

    @pytest.mark.parametrize("state", ["complete", "preempted", "stopped"])
    def test_the_pulse_says_how_it_ended(self, state):
        found = saved(FIRST).followed(pulse(2, 8, 70.0, state=state), []).over()
        assert found.rows[0].ended == state

    def test_records_of_steps_are_more_exact_than_the_pulse(self):
        records = [Record(STEP, 2, 9, 0, 0.5, 1), Record(STEP, 2, 30, 0, 0.5, 0)]
        (row,) = saved(FIRST).followed(pulse(2, 8, 70.0), records).rows
        assert row.end == (2, 10)

    def test_an_attempt_that_never_saved_is_known_too(self):
        records = [
            Record(END, 2, 8, 5, THEN + 70, 1),
            Record(START, 2, 5, 4, THEN + 100, 2),
            Record(STEP, 2, 5, 0, 0.5, 2),
            Record(STEP, 2, 6, 0, 0.5, 2),
        ]
        found = saved(FIRST).followed(pulse(2, 6, 101.0, attempt=2), records).over()
        first, second = found.rows
        assert (first.end, first.ended, first.until) == ((2, 8), "died", THEN + 70)
        assert (second.began, second.checkpoint) == (THEN + 100, 4)
        assert (second.start, second.end, second.ended) == ((2, 5), (2, 7), "died")

    def test_a_start_without_a_checkpoint(self):
        records = [Record(START, 0, 0, NO_CHECKPOINT, THEN, 1)]
        (row,) = Attempts().followed(pulse(0, 3, 1.0), records).rows
        assert (row.checkpoint, row.began, row.end) == (None, THEN, (0, 3))

    def test_records_and_a_pulse_of_attempts_before_the_checkpoint_add_nothing(self):
        known = saved(FIRST, dataclasses.replace(FIRST, number=2))
        records = [Record(STEP, 4, 9, 0, 0.5, 1), Record(END, 4, 9, 5, THEN, 1)]
        assert known.followed(pulse(4, 9, 0.0), records) == known

    def test_without_a_witness_nothing_is_added(self):
        assert saved(FIRST).followed(None, []) == saved(FIRST)
        assert Attempts().followed(None, []).over() == Attempts()


class TestNumbers:
    """How many batches were trained again, and what a failure cost."""

    def test_batches_between_two_places(self):
        known, unknown = Attempts(batches=10), Attempts()
        assert known.between((1, 8), (3, 2)) == 14
        assert unknown.between((1, 2), (1, 8)) == 6
        assert unknown.between((1, 8), (3, 2)) is None

    def test_what_another_attempt_had_trained_is_trained_again(self):
        rows = (
            Attempt(1, to_epoch=2, to_batch=5),
            Attempt(2, checkpoint=1, epoch=1, batch=0, to_epoch=1, to_batch=4),
            Attempt(3, checkpoint=1, epoch=1, batch=0, to_epoch=4, to_batch=0),
        )
        found = Attempts(rows, 5, 10)
        assert [found.again(index) for index in range(3)] == [0, 4, 15]

    def test_a_failure_costs_the_time_from_its_checkpoint_to_the_next_start(self):
        rows = (
            Attempt(1, THEN, ended="died"),
            Attempt(2, THEN + 100, checkpoint=1, saved=THEN + 40, ended="died"),
            # It began again from nothing: all that the one before it did is lost.
            Attempt(3, THEN + 150, ended="complete"),
            Attempt(4, THEN + 900, checkpoint=2, saved=THEN + 160),
            Attempt(5, None, checkpoint=2, saved=THEN + 160),
        )
        found = Attempts(rows)
        assert [found.lost(index) for index in range(5)] == [None, 60.0, 50.0, None, None]
