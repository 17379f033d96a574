"""Reads the batches that were trained before the checkpoint, without training on them again.

fit() itself goes through the epoch. As long as it is at those batches, its train function only
reads, and no callback gets their batch hooks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from rekindle._training import frames
from rekindle.errors import MismatchError

# Seconds until the user sees the progress for the first time, and between two updates of it.
_PATIENCE, _PACE = 1.0, 0.1

_HOOKS = ("on_train_batch_begin", "on_train_batch_end")


class Progress:
    """How many of the batches are read, and when the user sees it.

    Args:
        batches: How many batches to skip, at least 1.
        show: Shows the progress: how many batches are read, and of how many.
        look: Called after each batch. It may raise an exception that ends training.
    """

    def __init__(
        self, batches: int, show: Callable[[int, int], None], look: Callable[[], None]
    ) -> None:
        self.batches = batches
        self._show = show
        self._look = look
        self._show_at = time.monotonic() + _PATIENCE
        self._is_shown = False

    def reaches(self, done: int) -> bool:
        """Notes that so many batches are read. Returns whether these are all."""
        self._look()
        done = min(done, self.batches)
        is_over = done == self.batches
        if self._is_shown if is_over else time.monotonic() >= self._show_at:
            self._is_shown, self._show_at = True, time.monotonic() + _PACE
            self._show(done, self.batches)
        return is_over

    def read(self, iterator: Iterator[Any], steps: int) -> None:
        """Reads one execution of so many steps, or what the data still has of it.

        Raises:
            MismatchError: The data has ended before.
        """
        for step in range(steps):
            try:
                next(iterator)
            except StopIteration:
                if step == 0:
                    raise too_short(self.batches) from None
                return


class Replay:
    """Skips the first `batches` of an epoch.

    Args:
        model: The model that is being fitted. fit() calls its `train_function` once for each
            execution, with an iterator of the data as the last argument.
        steps: Returns how many steps the current execution has.
        batches_done: Returns how many batches are done when hooks get this number of a batch.
        callback_list: A weak reference to the CallbackList of its fit().
        is_training: Whether that fit() is still running.
        batches: How many batches to skip, at least 1.
        logs: The logs of the last of them.
        show: Shows the progress: how many batches are read, and of how many.
        done: Called after the last batch, before anything else runs.
        look: Called after each batch. It may raise an exception that ends training.
    """

    def __init__(
        self,
        model: Any,
        steps: Callable[[], int],
        batches_done: Callable[[int], int],
        callback_list: Callable[[], Any],
        is_training: Callable[[], bool],
        batches: int,
        logs: dict[str, Any],
        show: Callable[[int, int], None],
        done: Callable[[], None],
        look: Callable[[], None],
    ) -> None:
        self._model = model
        self._steps = steps
        self._batches_done = batches_done
        self._callback_list = callback_list
        self._is_training = is_training
        self._progress = Progress(batches, show, look)
        self._logs = logs
        self._done = done
        self._train_function: Any = None
        self._hooks: dict[str, Any] = {}

    def start(self) -> None:
        """Begins to skip. Call this before the epoch's first batch."""
        self._train_function = self._model.train_function
        self._model.train_function = self._read
        callback_list = self._callback_list()
        self._hooks = {name: vars(callback_list).get(name) for name in _HOOKS}
        callback_list.on_train_batch_begin = self._ignore
        callback_list.on_train_batch_end = self._ended

    def stop(self) -> None:
        """Restores the train function and the callbacks' hooks. Safe to call again."""
        if self._train_function is not None:
            self._model.train_function = self._train_function
            self._train_function = None
        hooks, self._hooks = self._hooks, {}
        frames.put_back(self._callback_list(), hooks)

    def _read(self, *args: Any) -> Any:
        # A fit() that failed while it skipped leaves this function behind. The next fit() must
        # train.
        if not self._is_training():
            train_function = self._train_function
            self.stop()
            return train_function(*args)
        # JAX passes its state first. Then comes an iterator, or batches that were already read.
        if hasattr(args[-1], "__next__"):
            self._progress.read(args[-1], self._steps())
        return (self._logs, args[0]) if len(args) == 2 else self._logs

    def _ignore(self, batch: int, logs: Any = None) -> None:
        """Replaces a hook that the other callbacks have received before the interruption."""

    def _ended(self, batch: int, logs: Any = None) -> None:
        if self._progress.reaches(self._batches_done(batch)):
            self.stop()
            self._done()


def too_short(batches: int) -> MismatchError:
    """The data ends within the batches that were trained before the checkpoint."""
    return MismatchError(
        f"The data ends before batch {batches} of the epoch, where the checkpoint was"
        " saved. It is not the data that the interrupted run was trained on.",
        differences=[f"data: expected at least {batches} batches in the epoch, found fewer"],
    )
