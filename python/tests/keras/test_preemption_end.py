"""Signals that arrive too late for fit() to handle: they act as without rekindle."""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import sys
import threading

import forks
import keras
import pytest
from small_fit import fit, make_model

import rekindle
from rekindle import Preemption
from rekindle._keras.tail_callback import TailCallback
from rekindle._training.fit import Fit
from rekindle._training.saves import Saves
from rekindle.keras import BackupAndRestore

PROGRAM = """
import os, signal, sys

import keras
import numpy as np

from rekindle import Preemption
from rekindle.keras import BackupAndRestore

class Ends(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if sys.argv[2] != "end":
            os.kill(os.getpid(), signal.SIGTERM)
            raise {"error": RuntimeError, "interrupt": KeyboardInterrupt}[sys.argv[2]]("no")

    def on_train_end(self, logs=None):
        os.kill(os.getpid(), signal.SIGTERM)

model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
x = np.ones((8, 3), "float32")
backup = BackupAndRestore(sys.argv[1], save_before_preemption=Preemption(then=sys.argv[3]))
model.fit(x, x[:, :1], epochs=2, batch_size=4, verbose=0, callbacks=[Ends(), backup])
print("went on")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it has no signals")
@pytest.mark.parametrize(
    ("how", "after"),
    [("end", "stop"), ("end", "continue"), ("error", "stop"), ("interrupt", "stop")],
)
def test_sigterm_ends_a_process_whose_training_has_ended_before_it_was_answered(
    backup_dir, how, after
):
    status, out, errors = forks.run_code(PROGRAM, backup_dir, how, after)
    assert (status, out) == (-signal.SIGTERM, ""), errors
    # The backup has the trained state: the program had no time for anything else.
    assert (rekindle.latest_checkpoint(backup_dir) is not None) == (how == "end")


class Hook(keras.callbacks.Callback):
    """Does something in one hook."""

    def __init__(self, hook, action):
        super().__init__()
        setattr(self, hook, lambda *_, **__: action())

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def send(number=signal.SIGUSR1):
    os.kill(os.getpid(), number)


def send_and_fail(error=RuntimeError):
    send()
    raise error("no")


@pytest.fixture
def count(tmp_path):
    """The number of times that SIGUSR1 reached a handler outside of Python, like R's."""
    path = tmp_path / "dumps"
    with path.open("w") as file:
        faulthandler.register(signal.SIGUSR1, file, all_threads=False)
        yield lambda: path.read_text().count("most recent call first")
        faulthandler.unregister(signal.SIGUSR1)


def train(backup_dir, *callbacks, epochs=2, **arguments):
    model = make_model()
    fit(model, *callbacks, BackupAndRestore(backup_dir, **arguments), epochs=epochs)
    return model


needs_signals = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signal")


@needs_signals
class TestSentAgain:
    @pytest.mark.parametrize("after", ["stop", "continue"])
    def test_one_that_comes_in_on_train_end(self, backup_dir, count, after):
        train(backup_dir, Hook("on_train_end", send), save_before_preemption=Preemption(then=after))
        assert count() == 1

    def test_one_that_comes_while_the_last_save_is_waited_for(self, backup_dir, count, monkeypatch):
        look, ended = Saves.look, []

        def interrupted(saving, *, wait=False):
            if ended:
                ended.pop()()
            look(saving, wait=wait)

        monkeypatch.setattr(Saves, "look", interrupted)
        train(backup_dir, Hook("on_train_end", lambda: ended.append(send)))
        assert count() == 1

    def test_one_that_comes_while_the_backup_is_cleared(self, backup_dir, count, monkeypatch):
        end = Fit.end
        monkeypatch.setattr(Fit, "end", lambda run: (send(), end(run)))
        train(backup_dir)
        assert count() == 1
        assert not backup_dir.exists()

    def test_one_that_comes_just_before_the_handlers_are_put_back(
        self, backup_dir, count, monkeypatch
    ):
        put, ours = signal.signal, []

        def signal_then_put(number, handler):
            if number == signal.SIGUSR1 and ours:
                send()
            ours.append(number)
            return put(number, handler)

        before_fit_ends = Hook(
            "on_train_end", lambda: monkeypatch.setattr(signal, "signal", signal_then_put)
        )
        ours.append(None)
        train(backup_dir, before_fit_ends)
        assert count() == 1

    def test_one_that_comes_when_nothing_is_left_to_run(self, backup_dir, count):
        train(backup_dir, delete_checkpoint=False)
        train(backup_dir, Hook("on_train_end", send))
        assert count() == 1

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
    def test_one_that_comes_in_the_batch_that_an_exception_ends_fit_in(
        self, backup_dir, count, error
    ):
        with pytest.raises(error) as kept:  # keeps the frames of fit() and our handlers
            train(backup_dir, Hook("on_train_batch_end", lambda: send_and_fail(error)))
        arrived(count)
        assert kept is not None

    def test_one_that_comes_in_a_fit_whose_list_dies_on_another_thread(self, backup_dir, count):
        kept = []
        try:
            train(backup_dir, Hook("on_train_batch_end", send_and_fail))
        except RuntimeError as error:
            kept.append(error)
        thread = threading.Thread(target=kept.clear)
        thread.start()
        thread.join()
        arrived(count)

    def test_each_of_several_that_came(self, backup_dir, count):
        before = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        try:
            both = Hook("on_train_end", lambda: (send(), send(signal.SIGUSR2), send()))
            train(backup_dir, both)
        finally:
            signal.signal(signal.SIGUSR2, before)
        assert count() == 1


def arrived(count):
    """Waits for the signal from the thread that watches the end of fit(). pytest ends a hang."""
    while not count():
        threading.Event().wait(0.02)
    assert count() == 1


@needs_signals
class TestNotSentAgain:
    def test_one_that_an_earlier_handler_was_called_for(self, backup_dir):
        called = []
        before = signal.signal(signal.SIGUSR1, lambda number, frame: called.append(number))
        try:
            train(backup_dir, Hook("on_train_end", send))
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert called == [signal.SIGUSR1]

    def test_one_that_was_answered_by_the_end_of_training(self, backup_dir, count):
        with pytest.raises(rekindle.TrainingPreempted) as ended:
            train(backup_dir, Hook("on_epoch_end", send), epochs=1)
        # A program that catches the exception continues.
        assert ended.value.saved
        assert [one for one in running() if one._signals.is_unanswered] == []
        assert count() == 0

    def test_one_that_was_answered_by_a_save(self, backup_dir, count):
        once = [send]
        train(
            backup_dir,
            Hook("on_train_batch_end", lambda: once and once.pop()()),
            save_before_preemption=Preemption(then="continue"),
        )
        assert count() == 0

    def test_one_that_a_fit_within_another_has_answered(self, backup_dir, count):
        def train_within():
            train(backup_dir / "inner", Hook("on_train_batch_end", send))

        with pytest.raises(rekindle.TrainingPreempted) as ended:
            train(backup_dir / "outer", Hook("on_epoch_begin", train_within))
        assert "inner" in ended.value.path
        assert [one for one in running() if one._signals.is_unanswered] == []
        assert count() == 0


@needs_signals
def test_one_that_a_fit_within_another_cannot_answer_is_answered_by_the_other(backup_dir, count):
    def train_within():
        train(backup_dir / "inner", Hook("on_train_end", send))

    with pytest.raises(rekindle.TrainingPreempted) as ended:
        train(backup_dir / "outer", Hook("on_epoch_begin", train_within))
    assert "outer" in ended.value.path
    assert count() == 0


@needs_signals
def test_after_a_fit_that_failed_a_signal_does_what_it_did_before(backup_dir):
    called = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: called.append(number))
    try:
        with pytest.raises(RuntimeError) as kept:  # keeps the frames of the failed fit() alive
            train(backup_dir, Hook("on_train_batch_end", fail))
        send(signal.SIGTERM)
        assert called == [signal.SIGTERM]
        assert kept is not None
    finally:
        signal.signal(signal.SIGTERM, before)


def fail():
    raise RuntimeError("no")


@needs_signals
def test_a_handler_that_the_program_sets_meanwhile_gets_what_was_not_answered(backup_dir):
    called = []
    before = signal.getsignal(signal.SIGUSR1)

    def send_and_set():
        send()
        signal.signal(signal.SIGUSR1, lambda number, frame: called.append(number))

    try:
        train(backup_dir, Hook("on_train_end", send_and_set))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert called == [signal.SIGUSR1]


def running():
    """The signal handling parts of the fits that are still alive through their frames."""
    found = [one for one in gc.get_objects() if type(one) is TailCallback]
    return [one._preemption for one in found if one._preemption is not None]
