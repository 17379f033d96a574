"""The workers of a MultiWorkerMirroredStrategy, and what they tell each other by collectives."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import tensorflow as tf

from rekindle._tf_keras.hang import HangWatch

# The collectives of TensorFlow gather no single bytes.
_WORD = np.dtype("<i8")
_SHORTEST = 4096


class StrategyTeam:
    """The workers of a strategy. It is a :class:`rekindle._training.team.Team`.

    Collectives run on the training thread only: two threads that use them at once would wait for
    each other for ever.

    Args:
        strategy: The strategy, with at least two workers.
        timeout: Seconds to wait for another worker.
    """

    def __init__(self, strategy: Any, timeout: float) -> None:
        extended = strategy.extended
        # Traced once for each length. The strategy's own gather() would be traced at each call.
        self._gathered = tf.function(functools.partial(_gathered, strategy), autograph=False)
        self._replicas = len(extended.worker_devices)
        self.timeout = timeout
        self.count = int(extended._num_workers)
        self.index = int(extended._id_in_cluster)
        self._watch = HangWatch(self.index, self.count, timeout)

    def waiting(self) -> AbstractContextManager[None]:
        """Within this context, this worker waits for all others, for example in a step."""
        return self._watch.waiting()

    def close(self) -> None:
        self._watch.close()

    def gather(self, data: bytes) -> list[bytes]:
        lengths = [row[0] for row in self.share([len(data)])]
        # All of one length, and of few different lengths: each is traced anew.
        size = max(1 << (max(lengths) - 1).bit_length(), _SHORTEST)
        padded = data.ljust(size, b"\0")
        rows = self._rows(np.frombuffer(padded, _WORD))
        return [row.tobytes()[:length] for row, length in zip(rows, lengths, strict=True)]

    def share(self, numbers: list[int]) -> list[list[int]]:
        return [[int(one) for one in row] for row in self._rows(np.array(numbers, _WORD))]

    def _rows(self, numbers: Any) -> Any:
        """The array of each worker, one in each row."""
        with self.waiting():
            return self._gathered(tf.constant(numbers[np.newaxis])).numpy()[:: self._replicas]


def _gathered(strategy: Any, row: Any) -> Any:
    """The rows of all replicas, in their order."""

    def in_replica(own: Any) -> Any:
        # The copy is on the replica's device, where the collective looks for its place.
        return tf.distribute.get_replica_context().all_gather(tf.identity(own), axis=0)

    return strategy.experimental_local_results(strategy.run(in_replica, args=(row,)))[0]


def team_of(strategy: Any, timeout: float) -> StrategyTeam | None:
    """The workers of a strategy; ``None`` if this process trains alone."""
    is_team = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    if not is_team or int(strategy.extended._num_workers) < 2:
        return None
    return StrategyTeam(strategy, timeout)
