"""Work behind a loop: asked for at any instant, its outcome is neither lost nor told too early."""

from __future__ import annotations

import threading

import pytest

from rekindle._background import Worker


def test_an_outcome_is_told_once():
    worker = Worker()
    worker.start(lambda: 7)
    assert worker.outcome(wait=True) == (7, None)
    assert worker.outcome(wait=True) is None


def test_asked_for_while_the_thread_is_being_started_it_is_still_waited_for(monkeypatch):
    worker, go = Worker(), threading.Event()
    start = threading.Thread.start
    asked = []

    def slowly(thread):
        asked.append(worker.outcome(wait=False))
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", slowly)
    worker.start(lambda: go.wait(60) and 7)
    monkeypatch.undo()
    assert asked == [None]
    assert worker.is_busy
    go.set()
    assert worker.outcome(wait=True) == (7, None)


def test_where_no_thread_can_be_had_it_is_done_at_once(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    worker = Worker()
    worker.start(lambda: 7)
    assert not worker.is_busy
    assert worker.outcome(wait=False) == (7, None)


def test_an_error_is_the_outcome():
    worker = Worker()
    worker.start(lambda: 1 / 0)
    result, error = worker.outcome(wait=True)
    assert result is None
    with pytest.raises(ZeroDivisionError):
        raise error
