"""When to save: pure decisions on what the training loop reports."""

from __future__ import annotations

from typing import Protocol


class Schedule(Protocol):
    """Decides, at the end of each batch or epoch, whether a save is due.

    Attributes:
        by_batch: Whether it needs to be told of batches at all; being told has a price on JAX.
        last_batch: Zero-based index, in its epoch, of the last batch it was told of.
    """

    by_batch: bool
    last_batch: int

    def resumed_after(self, batches: int) -> None:
        """The epoch goes on after so many batches, of which the last was followed by a save."""

    def batch_ended(self, batch: int) -> bool: ...

    def epoch_ended(self) -> bool: ...


class _NoBatches:
    """What the schedules share that never look at batches."""

    by_batch = False
    last_batch = 0

    def resumed_after(self, batches: int) -> None:
        self.last_batch = batches - 1

    def batch_ended(self, batch: int) -> bool:
        self.last_batch = batch
        return False


class EachEpoch(_NoBatches):
    """A save at the end of every epoch."""

    def epoch_ended(self) -> bool:
        self.last_batch = 0
        return True


class Never(_NoBatches):
    """No save of its own accord."""

    def epoch_ended(self) -> bool:
        self.last_batch = 0
        return False


class EachBatches:
    """A save whenever `count` batches or more ended since the last one, over epochs' borders.

    With ``steps_per_execution`` above 1, Keras reports only the last batch of each execution: the
    batches in between are counted with it, as Keras' own callback does.
    """

    by_batch = True

    def __init__(self, count: int) -> None:
        self.count = count
        self.last_batch = 0
        self._since_save = 0
        self._epoch_is_new = True

    def resumed_after(self, batches: int) -> None:
        self.last_batch = batches - 1
        self._epoch_is_new = False

    def batch_ended(self, batch: int) -> bool:
        self._since_save += batch + 1 if self._epoch_is_new else batch - self.last_batch
        self._epoch_is_new = False
        self.last_batch = batch
        if self._since_save < self.count:
            return False
        self._since_save = 0
        return True

    def epoch_ended(self) -> bool:
        self._epoch_is_new = True
        self.last_batch = 0
        return False


def schedule(save_freq: str | int | bool) -> Schedule:
    """The schedule for a checked `save_freq`: "epoch", a whole number from 1 up, or False."""
    if save_freq is False:
        return Never()
    if save_freq == "epoch":
        return EachEpoch()
    return EachBatches(int(save_freq))
