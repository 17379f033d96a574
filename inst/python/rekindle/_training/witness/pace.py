"""At which batches a witness looks, so that looking costs a small share of training."""

from __future__ import annotations

import math
from collections.abc import Callable

# The share of the time of a step that looking at it may take, and the steps between two choices.
_SHARE, _CHOICE = 0.001, 64
# After a checkpoint, look at so many batches in any case: a resumed run trains them again.
AFTER_SAVE = 8
# Look at every 1024th batch at least.
_RAREST = 1023


class Pace:
    """Chooses how many batches to look at, so that looking costs a small share of training.

    Every batch, every second, every fourth, ...: so that a run looks where the run before it did,
    whatever each has chosen.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        # How many batches are looked at in any case.
        self.free = 0
        self._mask = 0
        self._steps = 0
        self._began = 0.0
        self._least: dict[str, float] = {}

    def is_due(self, done: int) -> bool:
        return self.free > 0 or not done & self._mask

    def took(self, what: str, began: float) -> None:
        # The least, because another process may have had the processor meanwhile.
        spent = self.clock() - began
        if spent < self._least.get(what, math.inf):
            self._least[what] = spent

    def step_ended(self) -> None:
        self._steps += 1
        self.free -= self.free > 0
        if self._steps % _CHOICE:
            return
        now = self.clock()
        if self._began:
            allowed = _SHARE * (now - self._began) / _CHOICE
            cost, mask = sum(self._least.values()), 0
            while cost / (mask + 1) > allowed and mask < _RAREST:
                mask = 2 * mask + 1
            self._mask = mask
        self._began = now
