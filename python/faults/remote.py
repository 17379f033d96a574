"""Does every harm to every request of a save in an object store, and judges what is there then."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "shared"))

import actions
import http_message
import proxy as proxies
from servers import S3Server

from faults import children, scenes, table
from faults.remote_store import NEXT, Client, Try, Worker

# What a run may take: each request of a try has a second, and not one is harmed twice.
_SECONDS = 30.0


def _kill(before: bool, exchange: Any) -> None:
    """Kills the client, before the server has the request or after."""
    if before:
        exchange.read()
    else:
        exchange.forward()
    os.kill(int(exchange.record.fields["user-agent"]), signal.SIGKILL)
    exchange.close()


def _later(exchange: Any) -> None:
    """As `late`, but it waits for another run, too."""
    actions.late(exchange)


HARMS: dict[str, Callable[[Any], None]] = {
    "403": actions.status(403),
    "clock skew": actions.status("RequestTimeTooSkewed"),
    "404": actions.status(404),
    "no bucket": actions.status("NoSuchBucket"),
    "409": actions.status(409),
    "412": actions.status(412),
    "429": actions.status(429),
    "500": actions.status(500),
    "503": actions.status(503),
    "reply lost": actions.lose_reply,
    "closed": actions.close,
    "closed at once": actions.close_at_once,
    "half closed": actions.half_close,
    "bit flipped": actions.flip(),
    "silence": actions.silence,
    "silence after": actions.silence_after,
    "trickle": actions.trickle(),
    "late": actions.late,
    "later": _later,
    "killed before": functools.partial(_kill, True),
    "killed after": functools.partial(_kill, False),
}

# Those that take as long as a client waits.
SLOW = {"silence", "silence after", "trickle", "late", "later"}

# By name: with how many checkpoints kept, and its place in `scenes.scenes()`.
SCENES = {
    scene.name: (index, 1)
    for index, scene in enumerate(scenes.scenes(1))
    if scene.name
    in ("first save", "later save", "save in two packs", "same number again", "clean-up")
}


class _Within:
    """Picks the requests between two marks."""

    def __init__(self) -> None:
        self.is_on = False
        self.count = 0

    def __call__(self, record: Any) -> bool:
        if record.path in ("/begin", "/end", "/release"):
            self.is_on = record.path == "/begin"
            return False
        self.count += self.is_on
        return self.is_on


def _marked(record: Any) -> bool:
    return record.path in ("/begin", "/end", "/release")


def _answer_mark(holds: bool, exchange: Any) -> None:
    exchange.read()
    proxy = exchange.proxy
    if exchange.record.path == "/release" and not holds:
        settle(proxy, but=1)
    with contextlib.suppress(OSError):
        exchange.answer(http_message.answer(200, b""))


def settle(proxy: Any, but: int = 0) -> None:
    """Lets what is late reach the server, and waits until it did."""
    proxy.release()
    proxy.wait_until_idle(but)


@dataclass
class Tally:
    """The results of one harm in one scene."""

    tried: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Sweep:
    """A server, a proxy before it, and processes that run and judge.

    Args:
        seconds: How long a client waits for an answer.
    """

    def __init__(self, seconds: float = 1.0) -> None:
        self._server = S3Server()
        self._proxy = proxies.Proxy(self._server.endpoint)
        self._runner, self._judge = Worker(forks=True), Worker(forks=False)
        server, proxy = self._server, self._proxy
        self._direct = Client(server.url, server.options, 20.0, 2)
        self._through = Client(server.url, server.options_at(proxy.endpoint), seconds, 0)

    def close(self) -> None:
        self._runner.close()
        self._judge.close()
        self._proxy.close()
        self._server.close()

    def __enter__(self) -> Sweep:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def requests(self, name: str) -> int:
        """How many requests a scene has."""
        _, outcome = self._run(name, None, 0, 0)
        assert outcome.crash is None, outcome.crash
        return self._count

    def _run(
        self, name: str, harm: str | None, number: int, retries: int
    ) -> tuple[Try, children.Outcome]:
        prefix = f"runs/{uuid.uuid4().hex}"
        self._judge("prepare", SCENES[name], prefix, self._direct)
        proxy, within = self._proxy, _Within()
        proxy.clear()
        proxy.forget()
        marks = functools.partial(_answer_mark, harm == "later")
        forever = float("inf")
        if harm is not None:
            proxy.plan(HARMS[harm], at=number, when=within)
        else:
            proxy.plan(actions.forward, at=1, when=within, times=forever)
        proxy.plan(marks, when=_marked, times=forever)
        through = Client(self._through.url, self._through.options, self._through.seconds, retries)
        one = Try(SCENES[name], prefix, through, self._direct, proxy.endpoint)
        outcome = self._runner("run", one)
        self._count = within.count
        return one, outcome

    def tried(self, name: str, harm: str, number: int, retries: int, tally: Tally) -> None:
        """Does this harm to this request of the scene."""
        one, outcome = self._run(name, harm, number, retries)
        scene = scenes.scenes(1)[SCENES[name][0]]
        wrong = self._verdict(scene, harm, number, one, outcome, tally)
        tally.tried += 1
        if wrong:
            tally.wrong.append(f"{name}, request {number}, {harm}, {retries} retries: {wrong}")

    def _verdict(
        self,
        scene: Any,
        harm: str,
        number: int,
        one: Try,
        outcome: children.Outcome,
        tally: Tally,
    ) -> str | None:
        said = outcome.said
        done = [index for index in said if isinstance(index, int) and index != NEXT]
        facts = {key: value for row in said if isinstance(row, dict) for key, value in row.items()}
        if outcome.crash is not None:
            return outcome.crash
        if outcome.killed != (harm.startswith("killed") and self._count >= number):
            return f"the process ended with {outcome.status}"
        allowed = scene.after if done else scene.before
        if not outcome.killed:
            if facts["seconds"] > _SECONDS:
                return f"it took {facts['seconds']:.0f} seconds"
            if facts["found"] not in allowed:
                return f"a reader found {facts['found']}, not one of {sorted(map(str, allowed))}"
            if "next" in facts:
                return f"the next save failed: {facts['next']}"
            allowed = frozenset([NEXT])
        tally.seen[str(facts.get("error", "killed" if outcome.killed else "unharmed"))] += 1
        wrong: str | None = self._judge("judge", one, sorted(allowed, key=str))
        if wrong is None and harm == "later":
            settle(self._proxy)
            found = self._judge("restored", one)
            wrong = None if found == 77 else f"when it had come, {found} was restored"
        return wrong


def harms(quick: bool) -> Iterator[tuple[str, int]]:
    for harm in HARMS:
        yield harm, 0
        if harm in ("reply lost", "half closed", "closed", "silence after") and not quick:
            yield harm, 1


def show(*, quick: bool) -> list[str]:
    """Runs the sweeps and prints the table. Returns what was wrong."""
    wrong: list[str] = []
    cells = []
    with Sweep() as sweep:
        counts = {name: sweep.requests(name) for name in SCENES}
        for at, (harm, retries) in enumerate(harms(quick)):
            tally = Tally()
            for name, count in counts.items():
                # A small object may be sent earlier or later, so there may be one more.
                first, step = (1 + 7 * at % count, count) if quick else (1, 1)
                for number in range(first, count + 2, step):
                    sweep.tried(name, harm, number, retries, tally)
            wrong += tally.wrong
            seen = ", ".join(f"{count} {what}" for what, count in tally.seen.most_common())
            words = harm + (", tried again" if retries else "")
            cells.append([words, tally.tried, len(tally.wrong), seen])
    head = ["harm to the N-th request", "tries", "wrong", "what the run said"]
    title = ", ".join(f"{name}: {count} requests" for name, count in counts.items())
    table.show(f"An object store ({title})", head, cells)
    return wrong
