"""Lengths of time as users write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rekindle
from rekindle._base import durations

UNITS = {
    "s": 1,
    "sec": 1,
    "seconds": 1,
    "min": 60,
    "minutes": 60,
    "h": 3600,
    "hr": 3600,
    "day": 86400,
}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90 s", 90),
        ("10 min", 600),
        ("1 h", 3600),
        ("2 days", 172800),
        ("1.5h", 5400),
        (".5 min", 30),
        (" 3 Hours ", 10800),
        ("1 h 30 min", 5400),
        ("1d12h", 129600),
        (timedelta(minutes=2, milliseconds=500), 120.5),
    ],
)
def test_a_time_is_numbers_with_units(text, seconds):
    assert durations.parse(text) == seconds


@given(st.integers(1, 10**6), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " ", "  "]))
def test_every_whole_number_with_a_unit_is_that_time(number, unit, gap):
    assert durations.parse(f"{number}{gap}{unit}") == number * UNITS[unit]


@pytest.mark.parametrize(
    "value",
    [
        *["", " ", "10", "min", "10 m", "10 months", "1,5 h", "-1 s", "+1 s", "1e3 s", "1 s!"],
        *["0 s", "inf s", "nan h", "9" * 400 + " s", "١ s", "1 s 5", timedelta(0), timedelta(-1)],
        *[10, 1.5, None],
    ],
)
def test_anything_else_is_none(value):
    assert durations.parse(value) is None


@given(st.text())
def test_no_text_makes_it_fail(text):
    found = durations.parse(text)
    assert found is None or found > 0


@pytest.mark.parametrize(("value", "seconds"), [(None, None), (5, 5.0), (0.5, 0.5), ("1 h", 3600)])
def test_an_argument_may_also_be_a_number_of_seconds(value, seconds):
    assert durations.seconds("x", value) == seconds


@pytest.mark.parametrize("value", [0, -1, True, float("nan"), float("inf"), "5", [1]])
def test_an_argument_that_is_no_time_is_told_what_is(value):
    with pytest.raises(rekindle.ArgumentError, match=r"`x`.*a number of seconds above 0, a time"):
        durations.seconds("x", value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0042, "4.2 ms"),
        (0.1, "0.1 s"),
        (119, "119 s"),
        (600, "10 min"),
        (5400, "90 min"),
        (12600, "3.5 h"),
        (259200, "3 days"),
    ],
)
def test_times_are_spoken_in_the_unit_that_fits(seconds, text):
    assert durations.spoken(seconds) == text
