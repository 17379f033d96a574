"""The bytes of the file `ckpt.witness`: what is read of them, and what an older version reads."""

from __future__ import annotations

import math
import struct

import pytest
import xxhash

from rekindle._format import witness
from rekindle._format.witness import BEGIN, HEADER, PULSE_AT, Pulse, Record

NOW = Pulse("running", 3, 4, 17, 10, 200, 1_700_000_000.25, 0.5)


def head(body):
    return HEADER.ljust(PULSE_AT, b"\0") + body


@pytest.mark.parametrize("loss", [0.5, 0.0, -3.0, math.inf, None])
@pytest.mark.parametrize("state", witness.STATES.values())
def test_a_pulse_comes_back(state, loss):
    given = Pulse(state, 3, 4, 17, None, 200, 1_700_000_000.25, loss)
    assert witness.read_pulse(head(witness.pulse(given))) == given


def test_a_loss_that_is_no_number_is_told_from_no_loss():
    given = Pulse("running", 1, 0, 0, None, None, 0.0, math.nan)
    assert math.isnan(witness.read_pulse(head(witness.pulse(given))).loss)


def test_numbers_that_are_too_large_are_cut_and_end_nothing():
    given = Pulse("running", 10**6, 2**40, 2**40, 2**40, 2**40, 0.0, 1e300)
    found = witness.read_pulse(head(witness.pulse(given)))
    assert (found.attempt, found.epoch, found.loss) == (2**16 - 1, 2**32 - 1, math.inf)
    assert witness.record(witness.STEP, 1, 2**40, 0, 0, 0.0) == b""


def test_the_pulse_fits_before_the_records():
    assert len(head(witness.pulse(NOW))) == BEGIN


@pytest.mark.parametrize("length", range(BEGIN))
def test_a_pulse_that_is_cut_off_anywhere_counts_as_none(length):
    assert witness.read_pulse(head(witness.pulse(NOW))[:length]) is None


@pytest.mark.parametrize("at", range(BEGIN))
def test_a_pulse_with_a_changed_byte_counts_as_none(at):
    data = bytearray(head(witness.pulse(NOW)))
    data[at] ^= 1
    # One byte between the first line and the pulse belongs to neither.
    expected = NOW if at == len(HEADER) else None
    assert witness.read_pulse(bytes(data)) == expected


def test_a_pulse_of_a_forger_has_a_state_and_a_time_that_there_are():
    for number, time in ((99, 0.0), (0, 0.0), (1, math.nan), (1, math.inf), (1, 1e300)):
        body = struct.pack("<HHIIIIdf", number, 1, 1, 1, 1, 1, time, 0.0)
        assert witness.read_pulse(head(body + xxhash.xxh3_64_digest(body))) is None


def test_records_have_their_attempt_and_those_of_an_older_version_have_none():
    rows = witness.record(witness.STEP, 7, 1, 2, 3, 0.5) + witness.record(5, 0, 1, 2, 3, 0.5)
    found = list(witness.records(head(bytes(40)) + rows))
    assert found == [Record(witness.STEP, 1, 2, 3, 0.5, 7), Record(5, 1, 2, 3, 0.5)]


def test_a_file_of_another_kind_has_no_records():
    rows = witness.record(witness.STEP, 7, 1, 2, 3, 0.5)
    assert list(witness.records(b"mine".ljust(BEGIN, b"\0") + rows)) == []
