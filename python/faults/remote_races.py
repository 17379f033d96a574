"""Processes race for one prefix of an object store, round after round. One holds it each time."""

from __future__ import annotations

import multiprocessing
import sys
import uuid
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "shared"))

from servers import S3Server

from faults import scenes, table
from faults.remote_store import Client
from rekindle._repository.repository import Repository
from rekindle.errors import LockError


def _race(pipe: Connection, client: Client, start: Any) -> None:
    """Tries to get each prefix that comes, at the same instant as the others."""
    for prefix in iter(pipe.recv, None):
        folder = Repository(client.storage(prefix), "0.0.0")
        start.wait()
        try:
            folder.open()
        except LockError as error:
            pipe.send(("lost", error.pid))
            pipe.recv()
            continue
        pipe.send(("won", multiprocessing.current_process().pid))
        # All others have been refused by now.
        pipe.recv()
        folder.newest()
        folder.commit(scenes.snapshot(len(folder.numbers)))
        folder.close()
        pipe.send("closed")


def races(rounds: int, racers: int) -> Iterator[str | None]:
    """What was wrong in each round; ``None`` if one process won and all others were refused."""
    # Not forks of this process, which may have used the library; and they need no imports.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["faults.remote_races"])
    start = context.Barrier(racers)
    with S3Server() as server:
        client = Client(server.url, server.options, 20.0, 2)
        pipes, processes = [], []
        for _ in range(racers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_race, args=(theirs, client, start), daemon=True)
            process.start()
            pipes.append(ours)
            processes.append(process)
        prefix = ""
        for number in range(rounds):
            # A new prefix, or one that the winner before has left.
            if number % 2 == 0:
                prefix = f"runs/{uuid.uuid4().hex}"
            yield _round(prefix, pipes)
        for pipe in pipes:
            pipe.send(None)
        for process in processes:
            process.join(20)


def _round(prefix: str, pipes: list[Connection]) -> str | None:
    for pipe in pipes:
        pipe.send(prefix)
    said = [pipe.recv() for pipe in pipes]
    for pipe in pipes:
        pipe.send("all have said it")
    for pipe, (what, _) in zip(pipes, said, strict=True):
        if what == "won":
            pipe.recv()
    winners = [pid for what, pid in said if what == "won"]
    if len(winners) != 1:
        return f"{len(winners)} processes won"
    if any(pid != winners[0] for _, pid in said):
        return f"{winners[0]} won, and others were refused because of {said}"
    return None


def show(rounds: int, racers: int) -> list[str]:
    """Runs the races and prints the table. Returns what was wrong."""
    found = list(races(rounds, racers))
    wrong = [f"round {number}: {one}" for number, one in enumerate(found, 1) if one]
    head = ["processes", "rounds", "exactly one won"]
    table.show("Processes race for one prefix", head, [[racers, rounds, rounds - len(wrong)]])
    return wrong
