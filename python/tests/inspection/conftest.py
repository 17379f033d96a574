"""Fixtures of the tests that look at a run from outside."""

from __future__ import annotations

import pytest
from clocks import Clock
from looked_at import Lock
from pulses import THEN

from rekindle._inspection.now import Watcher


@pytest.fixture
def clock():
    return Clock(THEN)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "backup"


@pytest.fixture
def watcher(home, clock):
    return Watcher(home, clock)


@pytest.fixture
def lock(watcher, monkeypatch):
    return Lock(watcher, monkeypatch)
