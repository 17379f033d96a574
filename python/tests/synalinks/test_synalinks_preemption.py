"""Runs of Synalinks that a signal asks to end, in processes of their own: they save, end with the
exit code 75, and are resumed exactly.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import table
from chat_server import ChatServer

import rekindle

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="it has no such signals")

PREEMPTED = 75
CELL = {"source": "RandomFewShot", "signal": "SIGTERM"}


@pytest.fixture(scope="module")
def zygote():
    made = table.Zygote()
    yield made
    made.close()


@pytest.fixture(scope="module")
def never(zygote, tmp_path_factory):
    folder = tmp_path_factory.mktemp("never")
    assert zygote.run(CELL | {"save_freq": False, "folder": str(folder)}) == 0
    return folder


def resumed_at(folder):
    place = json.loads(Path(folder, "resumed.jsonl").read_text())
    assert place["exact"], place
    return place["epoch"], place["batch"]


@pytest.mark.parametrize(
    ("save_freq", "place", "expected"),
    [
        # In a hook of the batch that is trained then, and in a call of the language model.
        (False, ["begin", 1, 1], (1, 2)),
        (False, ["call", 90], None),
        # No callback has hooks of batches before the signal comes.
        ("epoch", ["call", 90], None),
        # In a validation, the place is that before it.
        (False, ["validation", 1], (1, 4)),
        ("epoch", ["epoch_end", 1], (2, 0)),
    ],
)
def test_a_run_that_is_asked_to_end_ends_as_if_it_was_not(
    zygote, never, tmp_path, save_freq, place, expected
):
    cell = CELL | {"save_freq": save_freq, "folder": str(tmp_path)}
    assert zygote.run(cell | {"kill": place}) == PREEMPTED
    assert rekindle.latest_checkpoint(tmp_path / "backup") is not None
    before = table.calls_in(tmp_path)
    assert zygote.run(cell) == 0
    # Not one call more than after the place of the checkpoint.
    assert table.differences(never, tmp_path, before) == []
    found = resumed_at(tmp_path)
    assert found == expected or (expected is None and found > (0, 0))


# With one sample in a batch, the order in which answers arrive does not matter.
SERVED = CELL | {"batch_size": 1, "samples": 8, "epochs": 2}


@pytest.fixture(scope="module")
def asked(zygote, tmp_path_factory):
    """A run that asks a real server and is never interrupted: its folder, and its requests."""
    folder = tmp_path_factory.mktemp("served")
    with ChatServer() as server:
        config = SERVED | {"save_freq": 1, "folder": str(folder), "server": server.url}
        assert zygote.run(config) == 0
        return folder, server.requests


def ended_and_resumed(folder, save_freq, stop):
    """Ends a run in the middle of a request, and resumes it. Returns the requests of both."""
    base = SERVED | {"save_freq": save_freq, "folder": str(folder)}
    with ChatServer(stop_at=50, stop=stop) as server:
        command = table.command(base | {"server": server.url})
        done = subprocess.run(command, env=table.environment(), capture_output=True, text=True)
        before = list(server.requests)
    assert (done.returncode, done.stdout) == (PREEMPTED, ""), done.stderr
    assert "Traceback" not in done.stderr
    with ChatServer() as server:
        assert table.fresh(base | {"server": server.url}) == 0
        return before, server.requests


def differing(one, other):
    expected, found = (table.loaded(folder, "report.json") for folder in (one, other))
    return {name for name in expected if expected[name] != found[name]}


def test_a_signal_in_the_middle_of_a_request_costs_not_one_request(asked, tmp_path):
    def stop():
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
        return True  # The server answers this request, and all others of the batch.

    before, after = ended_and_resumed(tmp_path, False, stop)
    expected, requests = asked
    assert len(before) >= 50
    assert sorted(before + after) == sorted(requests)
    assert differing(expected, tmp_path) == set()
    assert resumed_at(tmp_path) > (0, 0)


def test_a_second_signal_ends_a_run_whose_language_model_does_not_answer(asked, tmp_path):
    def insist():
        number = int((tmp_path / "pid").read_text())
        os.kill(number, signal.SIGTERM)
        # Long enough to be a second signal. If the process is so slow that it sees one signal, its
        # client asks again, and the run ends after the batch.
        time.sleep(4)
        os.kill(number, signal.SIGTERM)
        return False

    before, after = ended_and_resumed(tmp_path, 1, insist)
    expected, requests = asked
    # The batch that was not complete is asked again, and the one before, if its checkpoint was
    # still being written.
    assert 1 <= len(before) + len(after) - len(requests) <= 16
    assert set(before) | set(after) == set(requests)
    assert differing(expected, tmp_path) == set()
    assert resumed_at(tmp_path) > (0, 0)
