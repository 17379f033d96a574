"""Signals that announce the end: save at the next batch, stop, and resume bit for bit."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from small_fit import assert_same, data, fit, make_model, values

import rekindle
from rekindle import Preemption
from rekindle._keras.tail_callback import TailCallback
from rekindle._training import preemption as ending
from rekindle._training import signals
from rekindle._training.fit import Fit
from rekindle.keras import BackupAndRestore

# Saves only after a signal, so a resume always uses a checkpoint made for a signal.
NEVER = {"save_freq": False}


def send(number=signal.SIGTERM, times=1):
    for _ in range(times):
        os.kill(os.getpid(), number)


class At(keras.callbacks.Callback):
    """Does something at one point. It has no batch hooks at other points."""

    done = False

    def __init__(self, place, action, hook):
        super().__init__()
        epoch_now = [None]

        def begin(epoch, logs=None):
            epoch_now[0] = epoch

        def act(index, logs=None):
            here = (epoch_now[0], index) if "batch" in hook else index
            if here == place and not At.done:
                At.done = True
                action()

        self.on_epoch_begin = begin
        if hook == "on_epoch_begin":
            self.on_epoch_begin = lambda epoch, logs=None: (begin(epoch), act(epoch))
        else:
            setattr(self, hook, act)

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


@pytest.fixture(autouse=True)
def _anew():
    At.done = False


def train(backup_dir, *callbacks, epochs=3, validate=True, **arguments):
    keras.utils.set_random_seed(1)
    model = make_model()
    callback = BackupAndRestore(backup_dir, **(NEVER | arguments))
    more = {"validation_data": data(12), "validation_batch_size": 4} if validate else {}
    error = None
    try:
        fit(model, callback, *callbacks, epochs=epochs, **more)
    except rekindle.TrainingPreempted as raised:
        # The traceback keeps the frames of the fit(), some of them in cycles.
        error = raised.with_traceback(None)
    gc.collect()
    return model, callback, error


PLACES = {
    "a first batch": ((0, 0), "on_train_batch_begin"),
    "the end of a batch": ((1, 2), "on_train_batch_end"),
    "a last batch": ((1, 4), "on_train_batch_begin"),
    "validation": ((1, 1), "on_test_batch_begin"),
    "the last step of a validation": ((1, 2), "on_test_batch_end"),
    "the end of an epoch": (1, "on_epoch_end"),
    "the beginning of an epoch": (1, "on_epoch_begin"),
}


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_a_run_that_was_asked_to_end_goes_on_as_if_it_was_not(backup_dir, place, background):
    expected, _, error = train(backup_dir.with_name("never"), background=background)
    assert error is None
    at, hook = PLACES[place]
    _, callback, error = train(backup_dir, At(at, send, hook), background=background)
    assert (error.code, error.signal, error.saved) == (75, "SIGTERM", True)
    assert error.path == rekindle.latest_checkpoint(backup_dir)
    assert callback.save_report["saves"] == 1
    resumed, callback, error = train(backup_dir, At(at, send, hook), background=background)
    assert error is None
    assert callback.resume_report["exact"], callback.resume_report
    assert_same(values(resumed), values(expected))
    assert resumed.history.epoch[-1] == 2


def test_not_one_batch_more_is_trained_than_the_one_under_way(backup_dir):
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(batch)
    )
    train(backup_dir, watch, At((0, 2), send, "on_train_batch_begin"))
    assert seen == [0, 1, 2]


def test_a_hook_that_runs_behind_the_training_looks_after_nothing(backup_dir, monkeypatch):
    looked = []
    look = Fit.look
    monkeypatch.setattr(Fit, "look", lambda run: (looked.append(threading.get_ident()), look(run)))

    def from_elsewhere():
        send()
        # Like the hook of an earlier batch on JAX, which runs after the signal.
        companion = running(TailCallback)
        thread = threading.Thread(target=companion.on_train_batch_end, args=(0,))
        thread.start()
        thread.join()

    _, _, error = train(backup_dir, At((1, 2), from_elsewhere, "on_train_batch_begin"))
    assert error.saved
    assert set(looked) == {threading.get_ident()}


def running(kind):
    """The object of this class that is in a running fit()."""
    (found,) = [one for one in gc.get_objects() if type(one) is kind and one._fit is not None]
    return found


@pytest.fixture
def now(monkeypatch):
    """The clock of the signals, in seconds. The speed of the machine has no effect."""
    seconds = [0.0]
    clock = SimpleNamespace(monotonic=lambda: seconds[0], sleep=time.sleep)
    monkeypatch.setattr(signals, "time", clock)
    monkeypatch.setattr(ending, "time", clock)
    return seconds


def test_two_signals_that_come_together_are_one(backup_dir, now):
    _, _, error = train(backup_dir, At((1, 1), lambda: send(times=2), "on_train_batch_begin"))
    assert error.saved


def test_a_second_signal_later_means_now(backup_dir, now):
    def twice():
        send()
        now[0] += 1.2
        send()

    _, _, error = train(backup_dir, At((1, 1), twice, "on_train_batch_begin"))
    assert not error.saved
    assert "second signal" in str(error)
    assert "no checkpoint is known to be complete" in str(error)
    assert error.path is rekindle.latest_checkpoint(backup_dir) is None


def test_a_second_signal_names_the_save_that_stands(backup_dir):
    train(backup_dir, At((0, 1), send, "on_train_batch_begin"))
    At.done = False

    def twice():
        send()
        time.sleep(1.2)
        send()

    _, _, error = train(backup_dir, At((1, 1), twice, "on_train_batch_begin"))
    newest = rekindle.latest_checkpoint(backup_dir)
    assert (error.path, error.saved) == (newest, False)
    assert f"{newest!r} is the newest checkpoint" in str(error)


def test_an_early_warning_saves_and_trains_on(backup_dir, capsys):
    expected, _, _ = train(backup_dir.with_name("never"))
    model, callback, error = train(
        backup_dir,
        At((1, 1), lambda: send(signal.SIGUSR1), "on_train_batch_begin"),
        save_before_preemption=Preemption(then="continue"),
        verbose=1,
    )
    assert error is None
    assert callback.save_report["saves"] == 1
    assert "Received SIGUSR1: the run is saved as" in capsys.readouterr().out
    assert_same(values(model), values(expected))


def test_a_signal_during_a_save_in_the_background_is_answered_by_one_more(backup_dir):
    _, callback, error = train(
        backup_dir, At((1, 2), send, "on_train_batch_begin"), save_freq=1, background=True
    )
    assert error.saved
    assert callback.save_report["saves"] == 8


def test_handlers_that_were_there_are_called_and_put_back(backup_dir):
    called = []
    before = signal.signal(signal.SIGUSR2, lambda number, frame: called.append(number))
    theirs = signal.getsignal(signal.SIGUSR2)
    try:
        at = At((1, 1), lambda: send(signal.SIGUSR2), "on_train_batch_begin")
        _, _, error = train(backup_dir, at)
        assert error.signal == "SIGUSR2"
        assert called == [signal.SIGUSR2]
        assert signal.getsignal(signal.SIGUSR2) is theirs
    finally:
        signal.signal(signal.SIGUSR2, before)
    for name in ("SIGTERM", "SIGUSR1"):
        assert signal.getsignal(getattr(signal, name)) == signal.SIG_DFL


def test_another_thread_trains_without_listening(backup_dir):
    before = signal.getsignal(signal.SIGTERM)
    seen = []
    look = At((0, 0), lambda: seen.append(signal.getsignal(signal.SIGTERM)), "on_train_batch_begin")
    thread = threading.Thread(target=train, args=(backup_dir, look))
    thread.start()
    thread.join()
    assert seen == [before]


def test_who_does_not_want_it_is_ended_by_the_signal_itself(backup_dir):
    seen = []
    look = At((0, 0), lambda: seen.append(signal.getsignal(signal.SIGTERM)), "on_train_batch_begin")
    train(backup_dir, look, save_freq="epoch", save_before_preemption=False)
    assert seen == [signal.SIG_DFL]


@pytest.mark.filterwarnings("ignore:os.fork", "ignore:This process")
def test_a_forked_worker_leaves_a_signal_of_the_group_to_the_run(backup_dir):
    """A signal to the group ends the run properly. A signal to one worker ends only that worker."""
    children = {}

    def fork(then):
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(theirs, b".")
            time.sleep(then)
            os._exit(9)
        # Python forgets a signal that arrives before Python is set up after the fork.
        os.read(ours, 1)
        os.close(ours)
        os.close(theirs)
        return child

    def act():
        children["alone"] = fork(60)
        os.kill(children["alone"], signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(children["alone"], 0)[1]) == -signal.SIGTERM
        children["group"] = fork(0.5)
        send()
        os.kill(children["group"], signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(children["group"], 0)[1]) == 9
        children["done"] = True

    _, _, error = train(backup_dir, At((0, 1), act, "on_train_batch_begin"))
    assert children["done"]
    assert error.saved


def test_numbers_of_the_run_are_the_same_whatever_listens(backup_dir):
    first, _, _ = train(backup_dir)
    second, _, _ = train(backup_dir, save_freq="epoch", save_before_preemption=False)
    assert_same(values(first), values(second))
    assert np.isfinite(values(first)[0]).all()
