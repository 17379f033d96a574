"""Runs killed by SIGKILL and resumed by a newly started process, compared with a run never killed.

`make exact EXACT_ARGS=synalinks` has the whole table.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import table
from chat_server import ChatServer

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def zygote():
    made = table.Zygote()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("optimizer", "save_freq", "kill"),
    [
        ("RandomFewShot", 1, ["call", 90]),
        ("RandomFewShot", "epoch", ["validation", 1]),
        ("OMEGA", 3, ["end", 1, 3]),
    ],
)
def test_a_killed_run_ends_as_if_never_killed(zygote, tmp_path, optimizer, save_freq, kill):
    cell = {"source": optimizer, "save_freq": save_freq}
    # In a new process, the names of OMEGA's inner programs are others.
    resume = table.fresh if optimizer == "OMEGA" else zygote.run
    good, _, wrong = table.one_cell(zygote, cell, [kill], str(tmp_path), resume)
    assert good == 1, wrong


@pytest.mark.parametrize("version", ["state-3"])
def test_a_run_of_an_earlier_version_goes_on_where_it_was_killed(zygote, tmp_path, version):
    cell, never, folder = {"source": "OMEGA", "save_freq": 3}, tmp_path / "never", tmp_path / "old"
    shutil.copytree(GOLDEN / version / "synalinks", folder)
    before = table.calls_in(folder)
    assert zygote.run(cell | {"folder": str(never)}) == 0
    assert table.fresh(cell | {"folder": str(folder)}) == 0
    assert table.differences(never, folder, before) == []


def test_a_run_that_asks_a_real_server_is_killed_in_the_middle_of_a_request(zygote, tmp_path):
    # With one sample in a batch, the order in which answers arrive does not matter.
    base = {"source": "RandomFewShot", "save_freq": 1, "batch_size": 1}
    base |= {"samples": 8, "epochs": 2}
    never, folder = tmp_path / "never", tmp_path / "killed"
    # The client draws how long it waits from the random generator of the process, so a run repeats
    # only with the same refusals.
    refused = [7, 30]
    with ChatServer(refuse_at=refused) as server:
        assert zygote.run(base | {"folder": str(never), "server": server.url}) == 0
        asked = server.requests
        assert server.most_at_once > 1
    with ChatServer(stop_at=50, stop=lambda: _kill(folder), refuse_at=refused) as server:
        killed = base | {"folder": str(folder), "server": server.url}
        assert zygote.run(killed) == -signal.SIGKILL
        before = list(server.requests)
    with ChatServer() as server:
        assert table.fresh(base | {"folder": str(folder), "server": server.url}) == 0
        after = server.requests
    expected, found = (table.loaded(one, "report.json") for one in (never, folder))
    assert {name for name in expected if expected[name] != found[name]} == set()
    assert found["frameworks"] == []
    # Only the calls of the batch that was killed are made again, or of the one before, if its
    # checkpoint was still being written.
    place = json.loads((folder / "resumed.jsonl").read_text())
    assert (place["batch"] > 0, place["exact"]) == (True, True)
    assert 1 <= len(before) + len(after) - len(asked) <= 16
    assert set(before) | set(after) == set(asked)


def _kill(folder):
    os.kill(int(Path(folder, "pid").read_text()), signal.SIGKILL)
    return False


def test_importing_rekindle_or_looking_into_a_folder_imports_no_synalinks(tmp_path):
    program = (
        "import sys, rekindle, rekindle.inspection as look; look.info(sys.argv[1]);"
        "assert 'synalinks' not in sys.modules and 'litellm' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], env=table.environment(), check=True
    )
