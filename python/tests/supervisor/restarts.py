"""Shared code of the tests of `python -m rekindle run`: the supervisor, and programs for it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

# A loop of 40 steps that saves after each step, and writes its result at its end. Before that, it
# ends itself a given number of times at random places, each time in one of four ways.
LOOP = """
import os, random, signal, sys
from pathlib import Path

import numpy as np

import rekindle

home, deaths, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
count = len(list(home.glob("death-*")))
chance = random.Random(1000 * seed + count)
rng = np.random.default_rng(7)
state = {"weights": np.zeros(8), "step": np.zeros((), np.int64), "rng": rng}
checkpoint = rekindle.Checkpoint(**state)
manager = rekindle.CheckpointManager(checkpoint, home / "backup", 2, step_counter=state["step"])
manager.restore_or_initialize()
ways = (
    lambda: os.kill(os.getpid(), signal.SIGKILL),
    lambda: sys.exit(1),
    os.abort,
    lambda: os.kill(os.getpid(), signal.SIGSEGV),
)
end = int(state["step"]) + chance.randrange(1, 8) if count < deaths else -1
print("from", int(state["step"]), flush=True)
while state["step"] < 40:
    state["weights"] += rng.normal(size=8)
    state["step"] += 1
    if chance.random() < 0.9:
        manager.save()
    if state["step"] == end:
        (home / f"death-{count}").touch()
        chance.choice(ways)()
manager.close()
np.save(home / "weights.npy", state["weights"])
"""


def command(*arguments, same=None):
    """The command line of the supervisor.

    Args:
        *arguments: Its arguments.
        same: Seconds during which a second signal counts as the first.
    """
    start = ["-m", "rekindle"]
    if same is not None:
        start = ["-c", f"{_START}\nsupervisor._SAME = {same!r}\nsys.exit(main())"]
    return [sys.executable, *start, "run", *map(str, arguments)]


_START = """
import sys
from rekindle._cli.main import main
from rekindle._supervisor import supervisor
"""


def run(*arguments, timeout=600, **more):
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=timeout, **more
    )


def python(code, *arguments):
    """The command line of a program."""
    return ["--", sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]


@contextlib.contextmanager
def started(*arguments, same=None, **more):
    """Starts the supervisor, and ends it by force after the test."""
    process = subprocess.Popen(
        command(*arguments, same=same),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(claim, seconds=600.0):
    """Waits until `claim()` returns a true value, and returns that value."""
    deadline = time.monotonic() + seconds
    while not (found := claim()):
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)
    return found


def pid_in(path: Path) -> int:
    """The process id that a program wrote there."""
    return until(
        lambda: path.exists() and path.read_text().endswith("\n") and int(path.read_text())
    )


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        if os.path.isdir("/proc/self"):
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def summary_of(path: Path):
    return json.loads(path.read_text())
