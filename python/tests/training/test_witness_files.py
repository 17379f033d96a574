"""The file of a witness, the samples of batches, and the options of the comparison."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from rekindle import Tolerance
from rekindle._format import layout
from rekindle._format.witness import BATCH, EPOCH, STEP
from rekindle._storage.resolve import resolve
from rekindle._training.witness.ring import Ring
from rekindle._training.witness.samples import sample
from rekindle.errors import ArgumentError


@pytest.fixture
def storage(tmp_path):
    made = resolve(str(tmp_path / "backup"))
    made.hold()
    yield made
    made.release()


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
    assert sample((object(), None)) is None
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
