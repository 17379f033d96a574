"""Workers that look for one that does not come, with a service of the test's own between them."""

from __future__ import annotations

import itertools
import threading
import time
from types import SimpleNamespace

import pytest
import tensorflow as tf

from rekindle._tf_keras import hang
from rekindle._tf_keras.hang import HangWatch

# Far more than a thread needs.
PATIENCE = 60.0


class Service:
    """The coordination service, in this process. It also notes what was aborted."""

    def __init__(self):
        self.values, self.aborted = {}, []
        self.has_changed = threading.Condition()

    def set_config_key_value(self, key, value):
        with self.has_changed:
            if key in self.values:
                raise tf.errors.AlreadyExistsError(None, None, key)
            self.values[key] = value
            self.has_changed.notify_all()

    def get_config_key_value(self, key, timeout_in_ms=0):
        with self.has_changed:
            limit = timeout_in_ms / 1000 or PATIENCE
            if not self.has_changed.wait_for(lambda: key in self.values, limit):
                raise tf.errors.DeadlineExceededError(None, None, key)
            return self.values[key]

    def abort_collective_ops(self, code, message):
        self.aborted.append(message)


@pytest.fixture
def service(monkeypatch):
    found = Service()
    monkeypatch.setattr(hang, "context", SimpleNamespace(context=lambda: found))
    monkeypatch.setattr(hang, "_fits", itertools.repeat(1))
    monkeypatch.setattr(hang, "_ANSWER", 0.5)
    return found


def until(is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def answers(service):
    """How many answers there are to the questions so far."""
    return len([key for key in service.values if "/ask/" not in key])


def test_a_worker_that_works_for_too_long_is_named_by_those_that_wait(service):
    first, second = HangWatch(0, 2, 0.2), HangWatch(1, 2, 0.2)
    with first.waiting():
        until(lambda: service.aborted)
    first.close()
    second.close()
    (told,) = service.aborted
    assert told.startswith("rekindle: worker 1 on '")
    assert "has not come to its next training step for" in told
    assert "Worker 0 has waited for" in told


def test_a_worker_that_never_came_is_named(service):
    first = HangWatch(0, 2, 0.2)
    with first.waiting():
        until(lambda: service.aborted)
    first.close()
    assert "worker 1 does not answer: it may not have reached fit()" in service.aborted[0]


def test_workers_that_all_wait_accuse_nobody(service):
    first, second = HangWatch(0, 2, 0.2), HangWatch(1, 2, 0.2)
    with first.waiting(), second.waiting():
        # Each has asked, and both have answered.
        until(lambda: answers(service) >= 4)
    first.close()
    second.close()
    assert service.aborted == []


def test_the_threads_end_with_the_fit(service):
    before = set(threading.enumerate())
    watches = [HangWatch(index, 2, 600.0) for index in (0, 1)]
    threads = set(threading.enumerate()) - before
    assert len(threads) == 4
    for watch in watches:
        watch.close()
    until(lambda: not any(thread.is_alive() for thread in threads))
