"""A fit() with its own clock, for the tests of when a save is due."""

from __future__ import annotations

from rekindle._policy.intervals import Auto
from rekindle._policy.schedule import schedule


class Training:
    """A fit() with its own clock. Only the actions of the fit() move the clock.

    Args:
        save_freq: With `more`, the arguments of the schedule.
        step: Seconds that a step takes, or a function of the number of steps so far.
        stall: Seconds that a save holds training up, or a function of the number of saves so far.
        behind: The number of steps until a save is durable.
        slower: Extra seconds of each of these steps.
        fails: Whether a save fails, as a function of the number of saves so far.
    """

    def __init__(self, save_freq, step, stall=0.0, behind=0, slower=0.0, fails=None, **more):
        self.now = 1000.0
        chosen = Auto(**more) if more else save_freq
        self.plan = schedule(chosen, clock=lambda: self.now)
        self._step = step if callable(step) else lambda count: step
        self._stall = stall if callable(stall) else lambda count: stall
        self._behind, self._slower = behind, slower
        self._fails = fails or (lambda count: False)
        self._left = 0
        self.steps = 0
        self.saves = []
        self.cost = 0.0
        self.plan.epoch_began()

    def run(self, steps, epoch=10**9):
        for _ in range(steps):
            if self.steps and self.steps % epoch == 0:
                self.plan.epoch_ended()
                self.plan.epoch_began()
            self._one(self.steps % epoch)
        return self

    def _one(self, batch):
        if self._left:
            self.now += self._slower
            self.cost += self._slower
            self._left -= 1
        self.now += self._step(self.steps)
        self.steps += 1
        due = self.plan.batch_ended(batch)
        self._tell()
        if due:
            self.save()

    def save(self):
        held = self._stall(len(self.saves))
        self.saves.append(self.now - 1000.0)
        self.now += held
        self.cost += held
        self._left = self._behind
        self.plan.saved(held)
        self._tell()

    def _tell(self):
        self.plan.writing(self._left > 0, self._left == 0 and self._fails(len(self.saves)))

    @property
    def overhead(self):
        """The cost of the saves, as a share of the training."""
        return self.cost / (self.now - 1000.0 - self.cost)
