"""A real fit() in a process of its own is watched, ends in each way, and is reported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from watched_run import BATCHES, EPOCHS

from rekindle import inspection
from rekindle._inspection.now import Watcher

HERE = Path(__file__).parent


class Training:
    """The process. It waits after batch 30."""

    def __init__(self, home, how, flag):
        self.flag = flag
        arguments = [sys.executable, HERE / "watched_run.py", home, how, flag]
        env = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
        self.process = subprocess.Popen(
            list(map(str, arguments)),
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not flag.exists():
            assert self.process.poll() is None, self.process.stderr.read()
            time.sleep(0.05)

    def end(self):
        self.flag.unlink()
        _, self.told = self.process.communicate()
        return self.process.returncode


@pytest.mark.parametrize(
    ("how", "state", "status"),
    [
        ("finish", "finished", 0),
        ("raise", "stopped", 0),
        ("SIGTERM", "preempted", 75),
        ("SIGKILL", "died", -signal.SIGKILL),
    ],
)
def test_a_run_is_seen_at_work_and_how_it_ends(tmp_path, how, state, status):
    home = tmp_path / "backup"
    watcher = Watcher(home)
    assert watcher.look().state == "waiting"
    training = Training(home, how, tmp_path / "flag")
    now = watcher.look()
    assert (now.state, now.attempt) == ("running", 1)
    assert (now.epochs, now.batches) == (EPOCHS, BATCHES)
    assert now.holder.pid == training.process.pid
    # The pulse, which is up to a second old, or the checkpoint after 24 batches.
    assert 1 <= now.epoch * BATCHES + now.batch <= 30
    assert training.end() == status, training.told
    now = watcher.look()
    assert now.state == state
    assert home.exists() == (how != "finish")
    if how != "finish":
        resumes(tmp_path, home, state)


def resumes(tmp_path, home, state):
    """The next attempt knows how the first one ended, and how much of it is trained again."""
    training = Training(home, "keep", tmp_path / "again")
    assert training.end() == 0, training.told
    found = inspection.history(home)
    first, second = found.attempts
    # A run that is asked to end saves; of one that is killed, the batches since 24 are lost.
    saved = 30 if state == "preempted" else 24
    assert first.ended == state
    assert first.began < first.until < second.began
    assert 24 <= first.to_epoch * BATCHES + first.to_batch <= 30
    assert second.epoch * BATCHES + second.batch == saved
    assert (second.ended, second.to_epoch, second.to_batch) == ("complete", EPOCHS, 0)
    page = Path(inspection.report(home, tmp_path / "report.html")).read_text(encoding="utf-8")
    assert f">{state}</td>" in page
    assert ">complete</td>" in page
