"""What a fit() notes while it trains, and what a resumed fit() makes of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from clocks import Clock

from rekindle import Tolerance
from rekindle._format.manifest import Position
from rekindle._training.witness.ring import Ring
from rekindle._training.witness.witness import Witness


def batches(epoch, count=6):
    rng = np.random.default_rng(epoch)
    return [(rng.normal(size=(4, 3)), rng.normal(size=4)) for _ in range(count)]


def train(witness, epoch, data, losses, *, until=None):
    """Trains an epoch, or the first `until` batches of it."""
    witness.epoch_begins(epoch)
    for number, (batch, loss) in enumerate(zip(data, losses, strict=True)):
        if number == until:
            return
        witness.sees_batch(batch)
        witness.step_ended(number + 1, {"loss": loss})
    witness.epoch_ends(epoch, {"loss": losses[-1], "mae": 1.0})


def killed(storage, **more):
    """A run that was killed in the fourth batch of its second epoch."""
    witness = Witness(Ring(storage), Tolerance(), pytest.fail, **more)
    witness.begin(None, is_changed=False)
    train(witness, 0, batches(0), np.arange(6.0))
    train(witness, 1, batches(1), np.arange(6.0) + 10, until=4)


def resumed(storage, *, is_changed=False, tolerance=None, **position):
    told = []
    witness = Witness(Ring(storage), tolerance or Tolerance(), told.append)
    witness.begin(Position(0, **position), is_changed=is_changed)
    return witness, told


def test_a_run_that_sees_the_same_is_verified(storage):
    killed(storage)
    witness, told = resumed(storage, epoch=0, batch=0)
    assert witness.evidence == "unverified"
    train(witness, 0, batches(0), np.arange(6.0))
    assert not witness.is_over
    train(witness, 1, batches(1), np.arange(6.0) + 10)
    assert witness.is_over
    assert (witness.evidence, told) == ("verified", [])
    assert witness.compared == {"batches": 10, "losses": 10, "epochs": 1, "largest": 0.0}


@pytest.mark.parametrize(
    ("logs", "differs"),
    [
        ({"d_loss": 2.0, "g_loss": 1.0, "hits": 3}, {"d_loss": 2.0, "g_loss": 1.5, "hits": 3}),
        ({"accuracy": 0.5, "name": "of a step"}, {"accuracy": 0.25, "name": "of a step"}),
    ],
)
def test_the_results_of_a_train_step_are_compared_whatever_their_names_are(storage, logs, differs):
    def step(witness, logs):
        witness.epoch_begins(0)
        witness.step_ended(1, logs)

    first = Witness(Ring(storage), Tolerance(), pytest.fail)
    first.begin(None, is_changed=False)
    step(first, logs)
    witness, told = resumed(storage, epoch=0, batch=0)
    step(witness, logs)
    assert (witness.evidence, witness.compared["losses"], told) == ("verified", 1, [])
    witness, told = resumed(storage, epoch=0, batch=0)
    step(witness, differs)
    assert witness.evidence == "differs"
    assert "epoch 0, batch 0 on (counted from 0), the loss is not that of" in told[0]


def test_batches_that_are_read_again_are_compared_too(storage):
    killed(storage)
    witness, told = resumed(storage, epoch=1, batch=4)
    witness.epoch_begins(1)
    witness.replays()
    for batch in batches(1)[:4]:
        witness.sees_batch(batch)
    witness.replayed()
    # They say nothing about the model.
    assert (witness.evidence, told) == ("unverified", [])
    assert witness.compared["batches"] == 4
    # One that is another does not count: only what is trained.
    witness, told = resumed(storage, epoch=1, batch=3)
    witness.epoch_begins(1)
    witness.replays()
    for batch in batches(9)[:3]:
        witness.sees_batch(batch)
    witness.replayed()
    assert (witness.evidence, told) == ("unverified", [])
    witness.sees_batch(batches(9)[3])
    assert told == [
        "from epoch 1, batch 3 on (counted from 0), the data is not that of the interrupted run"
    ]


@pytest.mark.parametrize("what", ["batch", "loss", "epoch"])
def test_the_first_difference_is_told_once_and_ends_the_comparison(storage, what):
    killed(storage)
    witness, told = resumed(storage, epoch=0, batch=0)
    data, losses = batches(0), np.arange(6.0)
    if what == "batch":
        data[2][0][0, 0] = np.nextafter(data[2][0][0, 0], 9)
    if what == "loss":
        losses[3] = np.nextafter(3.0, 9)
    if what == "epoch":
        witness.epoch_begins(0)
        witness.epoch_ends(0, {"loss": 5.0, "mae": np.nextafter(1.0, 9)})
    else:
        train(witness, 0, data, losses)
        train(witness, 1, batches(7), np.arange(6.0))
    assert witness.evidence == "differs"
    place = {"batch": "epoch 0, batch 2", "loss": "epoch 0, batch 3", "epoch": "epoch 0"}[what]
    assert len(told) == 1
    assert told[0].startswith(f"from {place} on")
    # The next run compares with this one, and not with the one before.
    if what != "epoch":
        again, told = resumed(storage, epoch=1, batch=0)
        train(again, 1, batches(7), np.arange(6.0))
        assert (again.evidence, told) == ("verified", [])


@pytest.mark.parametrize("what", ["batch", "loss", "epoch"])
def test_a_difference_is_kept_for_the_runs_that_follow(storage, what):
    killed(storage)
    witness, told = resumed(storage, epoch=0, batch=0)
    data = batches(9 if what == "batch" else 0)
    losses = np.arange(6.0) + (what == "loss")
    if what == "epoch":
        witness.epoch_begins(0)
        witness.epoch_ends(0, {"loss": 5.0, "mae": 2.0})
    else:
        train(witness, 0, data, losses, until=3)
    for _ in range(2):
        # Each of them is killed before its next checkpoint, and leaves other records.
        again = Witness(Ring(storage), Tolerance(), pytest.fail)
        assert again.begin(Position(0, epoch=0, batch=0), is_changed=False) == told[0]
        train(again, 0, data, losses, until=5)
    fresh = Witness(Ring(storage), Tolerance(), pytest.fail)
    assert fresh.begin(None, is_changed=False) is None
    assert fresh.begin(Position(0, epoch=0, batch=0), is_changed=False) is None


def test_losses_may_differ_within_a_tolerance(storage):
    killed(storage)
    witness, told = resumed(storage, epoch=1, batch=0, tolerance=Tolerance(1e-6))
    train(witness, 1, batches(1), (np.arange(6.0) + 10) * (1 + 1e-7))
    assert (witness.evidence, told) == ("verified", [])
    assert 0.5e-7 < witness.compared["largest"] < 2e-7
    killed(storage)
    witness, told = resumed(storage, epoch=1, batch=0, tolerance=Tolerance(1e-8))
    train(witness, 1, batches(1), (np.arange(6.0) + 10) * (1 + 1e-7))
    assert (witness.evidence, len(told)) == ("differs", 1)


def test_nan_equals_nan(storage):
    first = Witness(Ring(storage), Tolerance(), pytest.fail)
    first.begin(None, is_changed=False)
    train(first, 0, batches(0), [np.nan] * 6)
    witness, told = resumed(storage, epoch=0, batch=0)
    train(witness, 0, batches(0), [np.nan] * 6)
    assert (witness.compared["losses"], witness.compared["epochs"], told) == (6, 1, [])


def test_a_changed_set_up_is_not_compared_and_begins_a_new_ring(storage):
    killed(storage)
    witness, told = resumed(storage, epoch=0, batch=0, is_changed=True)
    assert witness.evidence == "changed"
    train(witness, 0, batches(5), np.arange(6.0))
    assert (witness.evidence, told, witness.compared["batches"]) == ("changed", [], 0)
    again, told = resumed(storage, epoch=0, batch=0)
    train(again, 0, batches(5), np.arange(6.0))
    assert (again.evidence, told) == ("verified", [])


def test_a_run_that_begins_afresh_forgets_the_one_before(storage):
    killed(storage)
    witness = Witness(Ring(storage), Tolerance(), pytest.fail)
    witness.begin(None, is_changed=False)
    witness.close()
    assert Ring(storage).read() == []


@pytest.mark.parametrize("step", [0.0001, 0.001, 0.1])
def test_looking_costs_a_thousandth_of_a_step_and_each_choice_is_a_part_of_the_other(storage, step):
    clock, looks = Clock(1.0), []

    class Slow:
        """A batch: to look at it takes 20 microseconds."""

        def __init__(self, number):
            self.number = number

        def values(self):
            clock.now += 20e-6
            looks.append(self.number)
            return [np.ones(3)]

    Mapping.register(Slow)
    witness = Witness(Ring(storage), Tolerance(), pytest.fail, clock=clock)
    witness.begin(None, is_changed=False)
    witness.epoch_begins(0)
    for number in range(4096):
        witness.sees_batch(Slow(number))
        clock.now += step
        witness.step_ended(number + 1, {})
    late = [number for number in looks if number >= 1024]
    every = (4096 - 1024) / len(late)
    # 20 us of a thousandth of the step: every 200th, 20th, or each; rounded up to a power of 2.
    assert every == {0.0001: 256, 0.001: 32, 0.1: 1}[step]
    assert all((number + 1) % every == 0 for number in late)


def test_after_a_checkpoint_some_batches_are_looked_at_in_any_case(storage):
    clock = Clock(1.0)
    witness = Witness(Ring(storage), Tolerance(), pytest.fail, clock=clock)
    witness.begin(None, is_changed=False)
    witness.epoch_begins(0)
    for number in range(256):
        clock.now += 1e-9
        witness.sees_batch((np.ones(3),))
        clock.now += 1e-6
        witness.step_ended(number + 1, {"loss": 1.0})
        if number == 199:
            witness.saved()
    late = [one.batch for one in Ring(storage).read() if one.batch >= 128]
    assert set(range(200, 208)) <= set(late)
