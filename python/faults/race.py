"""Two processes race for one folder. Exactly one may get it. The other learns which one has it."""

from __future__ import annotations

import os
import random
import time
from typing import Any

from faults import scenes, table, tree
from rekindle.errors import LockError


def _racer(top: str, start: float, clears: bool, pipe: int, hold: int) -> None:
    folder = scenes.Store().open(top)
    while time.monotonic() < start:
        pass
    try:
        folder.open()
    except LockError as error:
        os.write(pipe, f"lost {error.pid} {error.started is not None}\n".encode())
        return
    os.write(pipe, f"won {os.getpid()}\n".encode())
    os.read(hold, 1)  # Wait until both processes have reported.
    folder.newest()
    folder.commit(scenes.snapshot(1))
    (folder.clear if clears else folder.close)()


def _round(top: str, *, clears: bool) -> str | None:
    """Runs one race. Returns what was wrong, or None."""
    readable, writable = os.pipe()
    held, release = os.pipe()
    start = time.monotonic() + 0.01
    racers = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            try:
                _racer(top, start, clears, writable, held)
            except BaseException as error:  # noqa: BLE001  (reported to the parent)
                os.write(writable, f"failed {error!r}\n".encode())
            os._exit(0)
        racers.append(child)
    os.close(writable)
    with os.fdopen(readable, "rb") as pipe:
        said = sorted(pipe.readline().decode().split() for _ in range(2))
        os.write(release, b"xx")
        said += [line.decode().split() for line in pipe]
    for fd in (held, release):
        os.close(fd)
    for racer in racers:
        os.waitpid(racer, 0)
    return _judge(said)


def _judge(said: list[Any]) -> str | None:
    if [words[0] for words in said if words] != ["lost", "won"]:
        return f"they said {said}"
    (_, holder, started), (_, winner) = said
    if holder != winner or started != "True":
        return f"{winner} won, and the other was told of {holder}"
    return None


def run(rounds: int, seed: int) -> list[str]:
    """Runs the races: the folder exists or not, and the winner leaves or clears it."""
    rng = random.Random(seed)
    wrong = []
    with tree.scratch() as top:
        for number in range(rounds):
            if rng.random() < 0.5:
                tree.empty(top)
            fault = _round(top, clears=rng.random() < 0.5)
            if fault is not None:
                wrong.append(f"round {number + 1}: {fault}")
    return wrong


def show(rounds: int, seed: int) -> list[str]:
    """Runs the races and prints the table. Returns what was wrong."""
    wrong = run(rounds, seed)
    cells = [[rounds, rounds - len(wrong)]]
    table.show("Two processes race for one folder", ["rounds", "exactly one won"], cells)
    return wrong
