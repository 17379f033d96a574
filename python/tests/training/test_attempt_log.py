"""The pulse of a fit(), and the attempts that it notes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from clocks import Clock
from pulses import THEN

from rekindle import Tolerance
from rekindle._format.manifest import Manifest, Position
from rekindle._saving.attempts import Attempts
from rekindle._training.witness.attempt_log import AttemptLog
from rekindle._training.witness.evidence import Evidence
from rekindle._training.witness.ring import Ring


def begun(storage, clock, manifest=None, place=(0, 0)):
    """A log as a fit() begins it that has this checkpoint."""
    ring = Ring(storage)
    log = AttemptLog(ring, clock, clock)
    log.find(manifest)
    if manifest is None:
        ring.clear()
    log.begin(manifest, place)
    log.plan(5, 10)
    return log


def saved(log, place, number=1):
    """The manifest of a checkpoint at this place."""
    state = log.as_state(place, 0.25, None)
    return Manifest(number, number, "run", THEN, "1", Position(0, *place), {}, {}, state)


def seen(storage):
    return Ring(storage).read_pulse()


def test_the_pulse_is_written_once_a_second_and_at_the_end_of_an_epoch(storage):
    clock = Clock(THEN)
    log = begun(storage, clock)
    assert seen(storage) is None
    for batch, second in enumerate([0.0, 0.2, 0.9, 1.1, 1.2], start=1):
        clock.now = THEN + second
        log.reached(0, batch)
        assert seen(storage).batch == (1 if second < 1 else 4)
    log.reached(1, 0, at_once=True)
    found = seen(storage)
    assert (found.epoch, found.batch, found.time) == (1, 0, THEN + 1.2)
    assert (found.epochs, found.batches, found.state) == (5, 10, "running")


@pytest.mark.parametrize("state", ["complete", "preempted", "stopped"])
def test_the_end_is_written_once(storage, state):
    log = begun(storage, Clock(THEN))
    log.reached(0, 3)
    log.ends(state)
    log.ends("stopped")
    log.reached(0, 4, at_once=True)
    assert (seen(storage).state, seen(storage).batch) == (state, 3)


def test_a_fit_that_fails_before_its_first_step_writes_nothing(storage):
    log = begun(storage, Clock(THEN))
    log.ends("stopped")
    assert storage.names() == [".lock"]


def test_every_attempt_is_known_though_some_never_saved(storage):
    clock = Clock(THEN)
    log = begun(storage, clock)
    log.reached(0, 4)
    checkpoint = saved(log, (0, 4))
    clock.now += 2
    log.reached(0, 7)
    # It is killed. So are the next two, which save nothing.
    for batch in (5, 6):
        clock.now += 100
        log = begun(storage, clock, checkpoint, (0, 4))
        clock.now += 2
        log.reached(0, batch)
    clock.now += 100
    log = begun(storage, clock, checkpoint, (0, 4))
    log.reached(0, 5)
    found = Attempts.of(saved(log, (0, 5), 2))
    assert [row.number for row in found.rows] == [1, 2, 3, 4]
    assert [row.ended for row in found.rows] == ["died", "died", "died", "running"]
    assert [row.end for row in found.rows] == [(0, 7), (0, 5), (0, 6), (0, 5)]
    assert [row.until - THEN for row in found.rows] == [2, 104, 206, 306]
    assert [row.began - THEN for row in found.rows] == [0, 102, 204, 306]
    assert [found.again(index) for index in range(4)] == [0, 1, 2, 1]
    assert found.rows[0].held == 0.25


def test_an_attempt_before_the_first_checkpoint_is_one(storage):
    clock = Clock(THEN)
    begun(storage, clock).reached(0, 4)
    clock.now += 50
    log = begun(storage, clock)
    log.reached(0, 1)
    first, second = Attempts.of(saved(log, (0, 1))).rows
    assert (first.ended, first.end, second.start) == ("died", (0, 4), (0, 0))


def test_numbers_that_a_user_may_give_do_not_end_the_training(storage):
    log = begun(storage, Clock(THEN))
    for epochs, batches in ((None, None), (-1, -2), (float("inf"), "x"), (True, 2.5)):
        log.plan(epochs, batches)
        log.reached(0, 1, at_once=True)
        assert seen(storage).epochs is None


def test_without_a_file_nothing_is_written_and_the_attempts_are_known(storage):
    log = AttemptLog(Ring(None))
    log.find(None)
    log.begin(None, (0, 0))
    log.reached(0, 1)
    log.ends("complete")
    assert len(Attempts.of(saved(log, (0, 1))).rows) == 1
    assert storage.names() == [".lock"]


@pytest.mark.parametrize(("worker", "count"), [(0, 1), (1, 0)])
def test_of_several_workers_one_gives_the_attempts(storage, worker, count):
    trainer = SimpleNamespace(
        team=SimpleNamespace(index=worker), fit={}, watch=lambda *_: lambda: None
    )
    allowed = SimpleNamespace(unseen=())
    state = SimpleNamespace(position=Position(), data=None, is_changed=False, allowed=allowed)
    evidence = Evidence(storage, trainer, state, None, Tolerance())
    evidence.begin(None, None)
    found = evidence.attempts((0, 1), 0.0)
    assert len(found.get("attempts", {}).get("rows", [])) == count
    evidence.close()
