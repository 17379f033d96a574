"""Forked children: each runs one piece of work, and may die at any point of it."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Say = Callable[..., None]


@dataclass
class Outcome:
    """How a child ended.

    Attributes:
        said: The messages that it sent before it ended, in order.
        status: The status from `os.waitpid`.
        crash: The traceback of an exception that it did not catch.
    """

    said: list[Any] = field(default_factory=list)
    status: int = 0
    crash: str | None = None

    @property
    def killed(self) -> bool:
        return os.WIFSIGNALED(self.status)


def run(work: Callable[[Say], None]) -> Outcome:
    """Runs `work` in a fork of this process. `work` sends messages by calling its argument."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(readable)
        _work(work, writable)
    os.close(writable)
    outcome = Outcome()
    with os.fdopen(readable, "rb") as pipe:
        for line in pipe:
            message = json.loads(line)
            if message["kind"] == "said":
                outcome.said.append(message["what"])
            else:
                outcome.crash = message["what"]
    outcome.status = os.waitpid(child, 0)[1]
    return outcome


def _work(work: Callable[[Say], None], pipe: int) -> None:
    def tell(kind: str, what: Any) -> None:
        os.write(pipe, json.dumps({"kind": kind, "what": what}).encode() + b"\n")

    try:
        work(lambda what: tell("said", what))
    except BaseException:  # noqa: BLE001  (reported to the parent, which judges)
        tell("crash", traceback.format_exc())
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)
