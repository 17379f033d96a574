"""Custom training loops, killed by SIGKILL and resumed by other processes: the same bits."""

from __future__ import annotations

import json
import pathlib
import random
import signal
import subprocess
import sys

import forks
import pytest
from programs import ENVIRONMENT

LOOPS = pathlib.Path(__file__).parent / "loops"
NAMES = ["numpy", "jax", "torch", "tensorflow"]

# The first optimizer imports the second one, which takes longer than the loop.
TORCH = ("torch", "torch._dynamo")


def config(folder, kill=None, background=False):
    folder.mkdir(exist_ok=True)
    return json.dumps({"folder": str(folder), "kill": kill, "background": background})


def start(name, folder, background=False):
    """Starts the loop anew, from the first import on."""
    return subprocess.Popen(
        [sys.executable, f"{name}_loop.py", config(folder, background=background)],
        cwd=LOOPS,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(name, folder, kill=None, background=False):
    asked = config(folder, kill, background)
    imports = (*(TORCH if name == "torch" else (name,)), "rekindle")
    status, _, errors = forks.run(LOOPS / f"{name}_loop.py", asked, imports=imports)
    assert status == (-signal.SIGKILL if kill else 0), errors


def report(folder):
    return json.loads((folder / "report.json").read_text())


def restored(folder):
    """The start of each process: the name of the restored checkpoint, and its step."""
    lines = (folder / "restored.txt").read_text().splitlines()
    return [(name, int(step)) for name, step in map(str.split, lines)]


@pytest.fixture(scope="module")
def never(tmp_path_factory):
    """The reports of runs that were never killed."""
    reports = {}

    def get(name):
        if name not in reports:
            folder = tmp_path_factory.mktemp(f"never-{name}")
            run(name, folder)
            reports[name] = report(folder)
        return reports[name]

    return get


# The first step is saved, then every third: steps 1, 4, 7, ...
@pytest.mark.parametrize("name", NAMES)
def test_a_loop_killed_between_and_in_its_saves_ends_as_if_it_was_not(tmp_path, never, name):
    for kill in ((4, "before"), (7, "in"), (9, "after")):
        run(name, tmp_path, kill=kill)
    run(name, tmp_path)
    # From step 4 on, the interval is counted from the restored step.
    assert restored(tmp_path) == [("None", 0), ("ckpt-1", 1), ("ckpt-2", 4), ("ckpt-3", 7)]
    assert report(tmp_path) == never(name)
    assert len(report(tmp_path)["losses"]) == 24


@pytest.mark.parametrize("name", NAMES)
def test_a_loop_that_is_saved_behind_it_is_killed_and_ends_as_if_it_was_not(tmp_path, never, name):
    for kill in ((7, "after"), (13, "in"), (20, "before")):
        run(name, tmp_path, kill=kill, background=True)
    run(name, tmp_path, background=True)
    begun = [step for _, step in restored(tmp_path)]
    # The checkpoint at the instant of the kill may not be durable; the checkpoint before it is.
    assert begun[1] in (4, 7)
    assert begun == sorted(begun)
    assert report(tmp_path) == never(name)


def test_a_loop_killed_at_any_time_whatever_ends_as_if_it_was_not(tmp_path, never):
    chance = random.Random(8)
    for _ in range(12):
        process = start("numpy", tmp_path, background=bool(chance.getrandbits(1)))
        try:
            process.wait(chance.uniform(0.15, 0.6))
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        assert process.returncode in (0, -signal.SIGKILL)
    run("numpy", tmp_path)
    assert report(tmp_path) == never("numpy")
