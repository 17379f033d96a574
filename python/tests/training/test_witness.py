"""What a fit() notes while it trains, and what a resumed fit() makes of it."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from rekindle import Tolerance
from rekindle._format import layout
from rekindle._format.manifest import Position
from rekindle._storage.resolve import resolve
from rekindle._training.witness.ring import BATCH, EPOCH, STEP, Ring
from rekindle._training.witness.samples import sample
from rekindle._training.witness.witness import Witness
from rekindle.errors import ArgumentError


@pytest.fixture
def storage(tmp_path):
    made = resolve(str(tmp_path / "backup"))
    made.hold()
    yield made
    made.release()


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self):
        self.now = 1.0

    def __call__(self):
        return self.now


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


def test_batches_that_are_read_again_are_compared_too(storage):
    killed(storage)
    witness, told = resumed(storage, epoch=1, batch=4)
    witness.epoch_begins(1)
    for batch in batches(1)[:4]:
        witness.sees_batch(batch)
    witness.replayed()
    assert (witness.evidence, told) == ("verified", [])
    assert witness.compared["batches"] == 4
    witness, told = resumed(storage, epoch=1, batch=4)
    witness.epoch_begins(1)
    witness.sees_batch(batches(1)[1])
    assert told == ["from epoch 1, batch 0 on (counted from 0), the data is not that of the"
                    " interrupted run"]  # fmt: skip


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
    clock, looks = Clock(), []

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


def test_the_ring_keeps_the_newest(storage):
    ring = Ring(storage)
    for number in range(5000):
        ring.add(STEP, 0, number, 0, float(number))
    ring.close()
    found = Ring(storage).read()
    assert sorted(record.batch for record in found) == list(range(5000 - 4096, 5000))
    assert all(record.loss == record.batch for record in found)
    assert storage.status(layout.WITNESS).size < 200_000


def test_records_that_are_torn_or_made_up_count_as_none(storage):
    ring = Ring(storage)
    for number in range(10):
        ring.add(BATCH | STEP, 3, number, number, 0.5)
    ring.close()
    path = Path(storage.where(layout.WITNESS))
    data = bytearray(path.read_bytes())
    for record, at in ((2, 5), (4, 30), (7, 8)):
        data[64 + 36 * record + at] ^= 1
    path.write_bytes(data)
    assert sorted(one.batch for one in Ring(storage).read()) == [0, 1, 3, 5, 6, 8, 9]
    path.write_bytes(data[: 64 + 36 + 20])
    assert len(Ring(storage).read()) == 1
    # The next run makes the file anew.
    again = Ring(storage)
    again.add(EPOCH, 0, 0, 7, 1.0)
    assert [one.kind for one in Ring(storage).read()] == [EPOCH]


@pytest.mark.parametrize("data", [b"mine", b'{"rekindle": 1}', struct.pack("<Q", 7) * 100])
def test_a_foreign_file_of_the_name_stays_as_it_is(storage, data):
    path = Path(storage.where(layout.WITNESS))
    path.write_bytes(data)
    ring = Ring(storage)
    ring.clear()
    ring.add(STEP, 0, 0, 0, 1.0)
    ring.close()
    assert path.read_bytes() == data
    assert Ring(storage).read() == []


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_file_is_not_touched(storage, kind, tmp_path):
    path, victim = Path(storage.where(layout.WITNESS)), tmp_path / "victim"
    victim.write_bytes(b'{"rekindle_witness":1}\n' + bytes(200_000))
    before = victim.read_bytes()
    if kind == "link":
        os.symlink(victim, path)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        os.mkdir(path)
    ring = Ring(storage)
    assert ring.read() == []
    ring.clear()
    ring.add(STEP, 0, 0, 0, 1.0)
    ring.close()
    assert os.path.lexists(path)
    assert victim.read_bytes() == before


def test_a_disk_that_refuses_ends_the_notes_and_not_the_training(storage, monkeypatch):
    ring = Ring(storage)
    ring.add(STEP, 0, 0, 0, 1.0)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    ring.add(STEP, 0, 1, 0, 1.0)
    monkeypatch.undo()
    ring.add(STEP, 0, 2, 0, 1.0)
    assert [one.batch for one in Ring(storage).read()] == [0]


def test_a_sample_depends_on_every_array_and_is_bounded():
    one = (np.arange(6.0), {"a": [np.ones(3, np.int8)], "b": None})
    assert sample(one) == sample((np.arange(6.0), {"a": [np.ones(3, np.int8)], "b": None}))
    assert sample(one) != sample((np.arange(6.0), {"a": [np.zeros(3, np.int8)], "b": None}))
    large = np.zeros((1000, 1000), np.float32)
    first = sample((large,))
    large[0, 0] = 1
    assert sample((large,)) != first
    assert sample((np.asfortranarray(large),)) is not None
    assert sample(("text", None)) is None
    assert sample(()) is None
    assert sample((np.array([object()], object),)) is None
    texts = sample((np.array(["a", object(), "b"], object),))
    assert texts is not None
    assert texts != sample((np.array(["a", object(), "c"], object),))


@pytest.mark.parametrize("relative", [-1, float("nan"), float("inf"), "1e-5", None, True])
def test_a_tolerance_is_a_number_from_0_up(relative):
    with pytest.raises(ArgumentError, match="relative"):
        Tolerance(relative)


def test_what_follows_a_difference_is_one_of_three():
    with pytest.raises(ArgumentError, match="then"):
        Tolerance(then="stop")
