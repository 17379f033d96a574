"""Whether save_freq="auto" keeps what saves cost within its bound.

A fit() with save_freq="auto" runs until it has saved so often. Steps take 10 ms. A save costs
0.1 s, for which it stalls training; in "behind" there is an array besides, which is hashed, written
and synced beside the training.

The overhead is how much longer the steps take in which a save was taken or written than the steps
between these saves, as a share of what all would have taken without. It is of whole intervals, from
the first save to the last. It compares steps with their neighbours, and not a fit() with another:
what else goes on in a machine changes from minute to minute by more than the bound. Of what the
callback itself has measured it knows nothing.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time

STEP, COST = 0.01, 0.1
# The default of rekindle.Auto's `max_overhead`.
BOUND = 0.035
# Values of the array that is written beside the training: 100 MB.
_LARGE = 25 << 20


class Stalling:
    """State that takes its time to be taken."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def state_dict(self) -> dict:
        time.sleep(self._seconds)
        return {}

    def load_state_dict(self, state: dict) -> None:
        """There is nothing in it."""


def model_and_data(steps: int):
    import keras
    import numpy as np

    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(64)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).standard_normal((8 * steps, 64), np.float32)
    return model, x


def paced(seconds: float, changes):
    """A callback with which no batch ends before so long after its beginning.

    Args:
        seconds: How long.
        changes: An array of which each batch changes a little, so that each save must write it.
    """
    import keras

    class Paced(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            began[0] = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            if changes is not None:
                changes[:1] += 1
            time.sleep(max(0.0, began[0] + seconds - time.perf_counter()))

    # Not the callback's own, or it would be part of its state.
    began = [0.0]
    return Paced()


class Watch:
    """What is seen of a fit() from outside, at each batch end, until there are so many saves."""

    def __init__(self, backup, saves: int, seconds: float) -> None:
        self.ends: list[float] = []
        self.held: list[float] = []
        self.durable: list[int] = []
        self._backup, self._saves, self._seconds = backup, saves, seconds

    def callback(self):
        import keras

        watching = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: look())

        def look() -> None:
            report = self._backup.save_report
            self.ends.append(time.perf_counter())
            self.held.append(report["seconds_held"])
            self.durable.append(report["saves"])
            is_late = self.ends[-1] - self.ends[0] > self._seconds
            if report["saves"] >= self._saves or is_late:
                watching.model.stop_training = True

        return watching

    def overhead(self) -> float:
        """The share that saves cost, over whole intervals; NaN when there were not two saves."""
        steps = [after - before for before, after in itertools.pairwise(self.ends)]
        # Step k lies between the ends k and k + 1. A save taken at the end of k is seen at k + 1.
        begins = [k for k in range(len(steps)) if self.held[k + 1] > self.held[k]]
        if len(begins) < 2:
            return float("nan")
        cost = without = 0.0
        for index, (begin, following) in enumerate(itertools.pairwise(begins)):
            end = next(k for k in range(begin, len(steps)) if self.durable[k + 1] > index)
            disturbed, clear = steps[begin : end + 1], steps[end + 1 : following]
            usual = statistics.mean(clear)
            cost += sum(disturbed) - usual * len(disturbed)
            without += usual * (len(disturbed) + len(clear))
        return cost / without


def overhead(case: str, saves: int, seconds: float, folder: str) -> dict:
    """What saves at intervals of "auto" cost, in this process, on its backend.

    Args:
        case: "held" or "behind".
        saves: After how many it ends.
        seconds: After how long it ends in any case.
        folder: Where to save.

    Returns:
        ``overhead`` and ``bound``, as shares, and ``chosen``, what the callback came to know.
    """
    import numpy as np

    from rekindle.keras import BackupAndRestore

    array = np.ones(_LARGE, np.float32) if case == "behind" else None
    model, x = model_and_data(round(seconds / STEP))
    state = {"slow": Stalling(COST), **({} if array is None else {"array": array})}
    backup = BackupAndRestore(
        os.path.join(folder, "backup"), "auto", extra_state=state, background=case == "behind"
    )
    watch = Watch(backup, saves, seconds)
    callbacks = [paced(STEP, array), backup, watch.callback()]
    model.fit(x, x, batch_size=8, epochs=1, verbose=0, callbacks=callbacks)
    chosen = {**backup.save_report, **backup.schedule.as_state()}
    return {"overhead": watch.overhead(), "bound": BOUND, "chosen": chosen}
