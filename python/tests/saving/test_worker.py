"""Background work: its result is never lost and never reported too early."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from rekindle._saving.writer_thread import WriterThread


def test_an_outcome_is_told_once():
    worker = WriterThread()
    worker.start(lambda: 7)
    assert worker.outcome(wait=True) == (7, None)
    assert worker.outcome(wait=True) is None


def test_asked_for_while_the_thread_is_being_started_it_is_still_waited_for(monkeypatch):
    worker, go = WriterThread(), threading.Event()
    start = threading.Thread.start
    asked = []

    def slowly(thread):
        asked.append(worker.outcome(wait=False))
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", slowly)
    worker.start(lambda: go.wait(600) and 7)
    monkeypatch.undo()
    assert asked == [None]
    assert worker.is_busy
    go.set()
    assert worker.outcome(wait=True) == (7, None)


def test_where_no_thread_can_be_had_it_is_done_at_once(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    worker = WriterThread()
    worker.start(lambda: 7)
    assert not worker.is_busy
    assert worker.outcome(wait=False) == (7, None)


def test_an_error_is_the_outcome():
    worker = WriterThread()
    worker.start(lambda: 1 / 0)
    result, error = worker.outcome(wait=True)
    assert result is None
    with pytest.raises(ZeroDivisionError):
        raise error


class TestInterruptOfTheStart:
    """The interrupt may come before the thread exists, or when it already runs."""

    def test_work_that_goes_on_is_known(self, monkeypatch):
        worker, entered, go = WriterThread(), threading.Event(), threading.Event()
        start = threading.Thread.start

        def interrupted(thread):
            start(thread)
            assert entered.wait(600)
            raise KeyboardInterrupt

        def work():
            entered.set()
            return go.wait(600) and 7

        monkeypatch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            worker.start(work)
        assert worker.is_busy
        go.set()
        assert worker.outcome(wait=True) == (7, None)

    def test_work_that_was_not_begun_is_not_waited_for_and_never_done(self, monkeypatch):
        worker, done, late = WriterThread(), [], []

        def interrupted(thread):
            late.append(thread)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", interrupted)
            with pytest.raises(KeyboardInterrupt):
                worker.start(lambda: done.append(True))
        assert not worker.is_busy
        assert worker.outcome(wait=True) is None
        worker.end()
        late[0].start()
        late[0].join()
        assert not done


class TestWhatIsDoneAfterwards:
    def test_nobody_waits_for_it(self):
        worker, go, ended = WriterThread(), threading.Event(), threading.Event()

        def then(stop):
            assert go.wait(600)
            ended.set()

        worker.start(lambda: 7, then)
        assert worker.outcome(wait=True) == (7, None)
        assert not worker.is_busy
        assert not ended.is_set()
        go.set()
        assert ended.wait(600)

    def test_it_is_told_to_end_when_other_work_begins(self):
        worker, began, ended = WriterThread(), threading.Event(), threading.Event()

        def then(stop):
            assert not stop()
            began.set()
            while not stop():
                time.sleep(0.001)
            ended.set()

        worker.start(lambda: 7, then)
        assert worker.outcome(wait=True) == (7, None)
        assert began.wait(600)
        assert not ended.is_set()
        worker.start(lambda: 8)
        assert ended.wait(600)
        assert worker.outcome(wait=True) == (8, None)

    def test_once_it_was_ended_no_thread_is_left(self):
        worker, began = WriterThread(), threading.Event()

        def then(stop):
            began.set()
            while not stop():
                time.sleep(0.001)

        worker.start(lambda: 7, then)
        assert worker.outcome(wait=True) == (7, None)
        assert began.wait(600)
        worker.end()
        assert not [one for one in threading.enumerate() if one.name == "rekindle-writer"]
        worker.end()

    def test_work_that_goes_on_is_not_waited_for_by_the_end(self):
        worker, go = WriterThread(), threading.Event()
        worker.start(lambda: go.wait(600) and 7)
        worker.end()
        assert worker.is_busy
        go.set()
        assert worker.outcome(wait=True) == (7, None)

    def test_the_end_of_the_interpreter_ends_it(self):
        script = f"""
import sys, time
sys.path[:0] = {sys.path!r}
from rekindle._saving.writer_thread import WriterThread
def then(stop):
    while not stop():
        time.sleep(0.001)
    print("ended")
worker = WriterThread()
worker.start(lambda: 7, then)
print(worker.outcome(wait=True))
"""
        run = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=600
        )
        assert (run.stdout, run.stderr) == ("(7, None)\nended\n", "")

    def test_it_is_not_done_after_a_failure(self):
        worker = WriterThread()
        done = []
        worker.start(lambda: 1 / 0, lambda stop: done.append(stop))
        assert isinstance(worker.outcome(wait=True)[1], ZeroDivisionError)
        worker.start(lambda: 7, lambda stop: done.append(stop))
        worker.outcome(wait=True)
        for thread in threading.enumerate():
            if thread.name == "rekindle-writer":
                thread.join()
        assert len(done) == 1
