"""Saves by the clock, and at intervals that rekindle chooses, in a real fit()."""

from __future__ import annotations

import json
import re
import signal
import threading
from datetime import timedelta
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from small_fit import Interrupt, assert_same, fit, make_model, run_scenario, values

import rekindle
from rekindle import Auto, Retention, inspection
from rekindle._policy import schedule
from rekindle._training import fit as run
from rekindle.keras import BackupAndRestore


class Clock:
    """Advances by 1 second for each batch, and by much more outside of training."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def goes_on(self):
        """A callback that moves the clock. It has no state, because a resume would restore that."""
        left = [1000.0]

        def jump():
            self.now += left[0]

        def tick():
            left[0] = 0.0
            self.now += 1.0

        return keras.callbacks.LambdaCallback(
            on_train_begin=lambda logs: jump(),
            on_epoch_begin=lambda epoch, logs: jump(),
            on_train_batch_end=lambda batch, logs: tick(),
        )


def timed(backup_dir, clock, save_freq, **more):
    """A callback that uses this clock."""
    callback = BackupAndRestore(backup_dir, save_freq, verbose=2, background=False, **more)
    callback._new_schedule = lambda: schedule.schedule(save_freq, clock=clock)
    return callback


def interrupted(model, clock, callback):
    """Interrupts epoch 1 at batch 3. The clock is before the backup, so it counts the batch."""
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(model, clock.goes_on(), callback, Interrupt(1, 3), epochs=3)


def saved_at(output):
    """The (epoch, batch) of each save in the output."""
    return [tuple(map(int, p)) for p in re.findall(r"Saved epoch (\d+), batch (\d+) as", output)]


@pytest.mark.parametrize("save_freq", ["3 s", "0.05 min", timedelta(seconds=3)])
def test_a_save_is_taken_at_the_first_batch_end_after_that_long(backup_dir, save_freq, capsys):
    clock = Clock()
    fit(make_model(), clock.goes_on(), timed(backup_dir, clock, save_freq), epochs=2)
    assert saved_at(capsys.readouterr().out) == [(0, 3), (1, 1), (1, 4)]


def test_the_clock_starts_again_when_a_run_is_resumed(backup_dir, capsys):
    clock = Clock()
    interrupted(make_model(), clock, timed(backup_dir, clock, "3 s"))
    assert saved_at(capsys.readouterr().out) == [(0, 3), (1, 1)]
    clock = Clock()
    callback = timed(backup_dir, clock, "3 s")
    fit(make_model(), clock.goes_on(), callback, epochs=3)
    assert (callback.resume_report["epoch"], callback.resume_report["batch"]) == (1, 1)
    assert saved_at(capsys.readouterr().out) == [(1, 4), (2, 2), (2, 5)]


def test_a_run_resumed_from_a_save_by_the_clock_ends_with_the_same_bits(backup_dir):
    ends = []
    for is_interrupted in (False, True):
        keras.utils.set_random_seed(1)
        model = make_model()
        if is_interrupted:
            clock = Clock()
            interrupted(model, clock, timed(backup_dir, clock, "3 s"))
            keras.utils.set_random_seed(1)
            model = make_model()
        clock = Clock()
        callback = timed(backup_dir, clock, "3 s")
        fit(model, clock.goes_on(), callback, epochs=3)
        ends.append(values(model))
    assert callback.resume_report["exact"]
    assert_same(*ends)


@pytest.fixture(scope="module")
def never(tmp_path_factory):
    """The result of a run never killed. It does not depend on the positions of its saves."""
    folder = tmp_path_factory.mktemp("never")
    assert run_scenario(folder, save_freq="0.005 s") == 0
    return (folder / "report.json").read_text()


@pytest.mark.parametrize(
    ("save_freq", "kills"),
    [("0.005 s", [["begin", 1, 2], ["end", 2, 8]]), ("auto", [["begin", 2, 2]])],
)
def test_a_run_killed_whenever_it_saves_ends_as_if_it_was_not(tmp_path, never, save_freq, kills):
    """The real clock decides the positions of saves: no two runs save at the same batches."""
    for kill in kills:
        # Not in the background: the progress of a background save depends on the machine.
        how = {"save_freq": save_freq, "background": False}
        assert run_scenario(tmp_path, kill=kill, **how) == -signal.SIGKILL
        newest = inspection.info(tmp_path / "backup").saves[-1]
        assert newest.damage is None
        assert newest.step > 0
    assert run_scenario(tmp_path, save_freq=save_freq) == 0
    assert json.loads((tmp_path / "resumed.jsonl").read_text())["exact"]
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(never)


class Slow:
    """A part of the state that is slow to capture."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds, self.taken = clock, seconds, 0

    def state_dict(self):
        self.taken += 1
        self.clock.now += self.seconds
        return {"taken": self.taken}

    def load_state_dict(self, state):
        self.taken = int(state["taken"])


@pytest.fixture
def clock(monkeypatch):
    """Replaces the clock, so that the speed of the machine has no effect."""
    made = Clock()
    monkeypatch.setattr(run, "time", SimpleNamespace(perf_counter=made))
    return made


def auto(backup_dir, clock, seconds, max_overhead=0.035, failures=None, **more):
    state = {"slow": Slow(clock, seconds)}
    how = {"delete_checkpoint": False, "background": False, "extra_state": state, "verbose": 1}
    callback = BackupAndRestore(backup_dir, "auto", **(how | more))
    callback._new_schedule = lambda: schedule.schedule(Auto(max_overhead, failures), clock)
    return callback


def pace(clock, seconds):
    def step(batch, logs):
        # The clock does not move for the background writer.
        for thread in threading.enumerate():
            if thread.name == "rekindle-writer":
                thread.join()
        clock.now += seconds

    return keras.callbacks.LambdaCallback(on_train_batch_begin=step)


def test_auto_measures_a_save_says_what_it_chose_and_saves_it(backup_dir, clock, capsys):
    callback = auto(backup_dir, clock, 0.2)
    fit(make_model(), callback, pace(clock, 0.005), epochs=4)
    # In twenty batches, there is one save, after a few batches, to measure.
    assert callback.save_report["saves"] == 1
    told = re.findall(r"Saving every ([\d.]+) s \(as often as the limit", capsys.readouterr().out)
    assert [float(one) for one in told] == [pytest.approx(0.2 + 0.2 / (0.9 * 0.035), abs=0.1)]
    # This save was captured before any measurement.
    (save,) = inspection.info(backup_dir).saves
    assert save.schedule["save_freq"] == "auto"
    assert "interval" not in save.schedule
    assert callback._schedule.as_state()["stall"] == pytest.approx(0.2)


def test_auto_goes_on_with_what_the_run_before_has_chosen(backup_dir, clock, capsys):
    # The bound is wide, so that the second save comes soon, with the measurements of the first.
    how = {"max_overhead": 1.0, "retention": Retention(last=None)}
    fit(make_model(), auto(backup_dir, clock, 0.2, **how), pace(clock, 0.02), epochs=20)
    saves = inspection.info(backup_dir).saves
    assert len(saves) == 2
    chosen = saves[-1].schedule
    found = {name: chosen[name] for name in ("interval", "stall", "step")}
    assert found == pytest.approx({"interval": 1.2, "stall": 0.2, "step": 0.02})
    capsys.readouterr()
    callback = auto(backup_dir, clock, 0.2, **how)
    fit(make_model(), callback, pace(clock, 0.0), epochs=saves[-1].epoch + 3)
    assert "Saving every" in capsys.readouterr().out
    # No early save after a few batches, because nothing must be measured.
    assert callback.save_report["saves"] == 0


def test_auto_with_failures_known_says_so(backup_dir, clock, capsys):
    callback = auto(backup_dir, clock, 0.02, failures=864000.0)
    fit(make_model(), callback, pace(clock, 0.0), epochs=4)
    assert "(so that failures cost the least time)" in capsys.readouterr().out


def test_auto_at_verbose_0_says_nothing(backup_dir, clock, capsys):
    fit(make_model(), auto(backup_dir, clock, 0.02, verbose=0), epochs=4)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("background", [False, True])
def test_auto_works_at_once_and_in_the_background(backup_dir, clock, background):
    how = {"max_overhead": 1.0, "background": background, "verbose": 0}
    callback = auto(backup_dir, clock, 0.05, **how)
    fit(make_model(), callback, pace(clock, 0.01), epochs=40)
    found = callback._schedule.as_state()
    assert callback.save_report["saves"] == 2
    assert found["stall"] == pytest.approx(0.05)
    assert found["duration"] >= found["stall"]
    assert np.isfinite(found["interval"])


def test_a_save_by_epochs_says_nothing_of_intervals(backup_dir):
    fit(make_model(), BackupAndRestore(backup_dir, delete_checkpoint=False), epochs=1)
    (save,) = inspection.info(backup_dir).saves
    assert save.schedule == {}
    assert rekindle.latest_checkpoint(backup_dir)
