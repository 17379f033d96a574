"""A clock of the test's own, in place of `time.time()` or another function that gives seconds."""

from __future__ import annotations


class Clock:
    """Gives `now`: seconds pass only when a test says so."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now
