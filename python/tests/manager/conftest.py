"""Shared fixtures of the manager's tests. They run once, in a process with every framework."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import systems
from clocks import Clock
from every_framework import tf

import rekindle
from rekindle._storage.local import fs


@pytest.fixture(params=systems.ALL)
def system(request):
    made = systems.System(request.param)
    yield made
    made.done()


@pytest.fixture
def v():
    return tf.Variable(0.0)


@pytest.fixture
def home(tmp_path):
    return str(tmp_path / "ckpts")


@pytest.fixture
def checkpoint():
    return rekindle.Checkpoint(w=np.zeros(3), step=0)


@pytest.fixture
def clock(monkeypatch):
    made = Clock(3.0)
    monkeypatch.setattr(time, "time", made)
    return made


class Gate:
    """Blocks every sync of a file until the gate is open. Records which threads called it."""

    def __init__(self, monkeypatch):
        self.opened = threading.Event()
        self.reached = threading.Event()
        self.threads = set()
        self._sync = fs.sync
        monkeypatch.setattr(fs, "sync", self.sync)

    def sync(self, fd):
        self.threads.add(threading.current_thread())
        self.reached.set()
        assert self.opened.wait(600)
        self._sync(fd)


@pytest.fixture
def gate(monkeypatch):
    made = Gate(monkeypatch)
    yield made
    made.opened.set()
