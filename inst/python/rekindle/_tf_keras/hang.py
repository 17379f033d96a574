"""Finds the worker for which the others wait for too long, and ends their wait.

A worker that waits in a collective cannot look around. So a thread beside it does, and talks to the
threads of the other workers through the coordination service of TensorFlow. If a process dies or is
stopped, that service itself notices, and names it. This is for a process that lives, but whose
training thread does not come: in a callback, or before fit().
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context

from rekindle._base import durations

# Seconds in which a living process answers.
_ANSWER = 10.0

# The numbers of the fit()s of this process. All workers have the same.
_fits = itertools.count()


class HangWatch:
    """Watches over one fit() of one worker.

    Args:
        index: The number of this worker.
        count: The number of workers.
        timeout: Seconds for which a worker waits for another.
    """

    def __init__(self, index: int, count: int, timeout: float) -> None:
        self._index, self._count, self._timeout = index, count, timeout
        self._key = f"rekindle/{next(_fits)}"
        # Whether the training thread waits for the others, since when, and how often that changed.
        self._at = (False, time.monotonic(), 0)
        self._round = 0
        self._is_over = threading.Event()
        for watch in (self._look, self._listen):
            threading.Thread(target=watch, daemon=True, name="rekindle-watch").start()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Within this context, the training thread waits for all other workers."""
        self._change(True)
        try:
            yield
        finally:
            self._change(False)

    def _change(self, waits: bool) -> None:
        self._at = (waits, time.monotonic(), self._at[2] + 1)

    def close(self) -> None:
        """Ends the threads."""
        self._is_over.set()
        self._ask()

    def _ask(self) -> None:
        # Another worker may have asked in this round: that does as well.
        with contextlib.suppress(tf.errors.OpError, RuntimeError):
            context.context().set_config_key_value(f"{self._key}/ask/{self._round}", "?")

    def _look(self) -> None:
        """Asks all workers when this one has waited for too long, and again after as long."""
        asked = 0.0
        while not self._is_over.wait(min(self._timeout / 4, 5.0)):
            (waits, since, _), now = self._at, time.monotonic()
            if waits and now - max(since, asked) > self._timeout:
                asked = now
                self._ask()

    def _listen(self) -> None:
        """Answers each question of a worker, and looks at the answers of the others."""
        # Without the service, for example at the end of the cluster, nothing can be found out.
        with contextlib.suppress(tf.errors.OpError, RuntimeError):
            while not self._is_over.is_set():
                # Without an end: each call that times out would leave a trace in the service.
                context.context().get_config_key_value(f"{self._key}/ask/{self._round}")
                self._answer(self._round)
                self._round += 1

    def _answer(self, number: int) -> None:
        waits, since, changes = self._at
        seconds = time.monotonic() - since
        own = {"waits": waits, "seconds": seconds, "host": socket.gethostname()}
        service = context.context()
        service.set_config_key_value(f"{self._key}/{number}/{self._index}", json.dumps(own))
        if self._is_over.is_set() or not waits or seconds < self._timeout:
            return
        late = [text for text in map(self._lateness, self._others(number).items()) if text]
        if late and self._at[2] == changes:
            service.abort_collective_ops(
                tf.errors.UNAVAILABLE,
                f"rekindle: {' and '.join(late)}. Worker {self._index} has waited for"
                f" {durations.spoken(seconds)} (`worker_timeout` is"
                f" {durations.spoken(self._timeout)}). End all workers, and start them again.",
            )

    def _others(self, number: int) -> dict[int, dict[str, Any] | None]:
        """What each other worker answered; ``None`` if it did not answer in time."""
        found: dict[int, dict[str, Any] | None] = {}
        until = time.monotonic() + _ANSWER
        for index in set(range(self._count)) - {self._index}:
            left = max(100, int(1000 * (until - time.monotonic())))
            found[index] = None
            with contextlib.suppress(tf.errors.DeadlineExceededError):
                key = f"{self._key}/{number}/{index}"
                found[index] = json.loads(context.context().get_config_key_value(key, left))
        return found

    def _lateness(self, answer: tuple[int, dict[str, Any] | None]) -> str | None:
        """How late a worker is; ``None`` if it waits like this one, or has only begun to work."""
        index, said = answer
        if said is None:
            return f"worker {index} does not answer: it may not have reached fit()"
        if said["waits"] or said["seconds"] < self._timeout / 2:
            return None
        return (
            f"worker {index} on {said['host']!r} has not come to its next training step for"
            f" {durations.spoken(said['seconds'])}: it may hang in a callback"
        )
