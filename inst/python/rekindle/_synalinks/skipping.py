"""Reads the batches that were trained before the checkpoint, without training on them again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rekindle._training.replay import Progress, too_short


class Skipping:
    """Skips the first `batches` of an epoch: fit() never sees them.

    Args:
        program: The program that is being fitted.
        epoch_iterator: Synalinks' own epoch iterator.
        batches: How many batches to skip, at least 1.
        logs: The logs of the last of them.
        show: Shows the progress: how many batches are read, and of how many.
        done: Called after the last batch, before anything else runs.
        look: Called after each batch. It may raise an exception that ends training.
    """

    def __init__(
        self,
        program: Any,
        epoch_iterator: Any,
        batches: int,
        logs: dict[str, Any],
        show: Callable[[int, int], None],
        done: Callable[[], None],
        look: Callable[[], None],
    ) -> None:
        self._program = program
        self._iterator = epoch_iterator
        self._batches = batches
        self._logs = logs
        self._progress = Progress(batches, show, look)
        self._done = done

    def start(self) -> None:
        """Begins to skip. Call this before the epoch's first batch."""
        # A program tracks the attributes that are set in the usual way.
        vars(self._program)["_get_metrics_result_or_logs"] = self._result_or_logs
        vars(self._iterator)["_enumerate_iterator"] = self._steps

    def stop(self) -> None:
        """Makes fit() train again. Safe to call again."""
        vars(self._program).pop("_get_metrics_result_or_logs", None)
        vars(self._iterator).pop("_enumerate_iterator", None)

    def _result_or_logs(self, logs: Any) -> Any:
        # If the checkpoint stands after the last batch, fit() trains none, and has no logs.
        vars(self._program).pop("_get_metrics_result_or_logs", None)
        return self._program._get_metrics_result_or_logs(logs or self._logs)

    def _steps(self) -> Iterator[Any]:
        vars(self._iterator).pop("_enumerate_iterator", None)
        executed = int(self._iterator.steps_per_execution or 1)
        done = 0
        for step, iterator in self._iterator._enumerate_iterator():
            if done >= self._batches:
                yield step, iterator
                continue
            self._progress.read(iterator, executed)
            done += executed
            if self._progress.reaches(done):
                self._done()
                # fit() leaves the epoch after the batch in which a callback stopped training.
                if self._program.stop_training:
                    return
        if done < self._batches:
            raise too_short(self._batches)
