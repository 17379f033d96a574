"""Whether save_freq="auto" keeps the cost of saves within its bound.

A fit() with save_freq="auto" runs until it has saved a given number of times. Steps take 10 ms. A
save stalls training for 0.1 s. In the case "behind" there is also an array that is hashed, written
and synced in the background.

The overhead is the extra time of the steps during which a save was captured or written, compared
with the steps between these saves. It is a share of the time that all steps would take without
saves. It covers whole intervals, from the first save to the last. It compares steps with their
neighbours, and not one fit() with another: the other load of a machine changes from minute to
minute by more than the bound. It does not use the callback's own measurements.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time

STEP, COST = 0.01, 0.1
# The default of rekindle.Auto's `max_overhead`.
BOUND = 0.035
# The number of values in the array that is written in the background: 100 MB.
_LARGE = 25 << 20


class Stalling:
    """State that is slow to capture."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def state_dict(self) -> dict:
        time.sleep(self._seconds)
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Does nothing: the state is empty."""


def model_and_data(steps: int):
    import keras
    import numpy as np

    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(64)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).standard_normal((8 * steps, 64), np.float32)
    return model, x


def paced(seconds: float, changes):
    """A callback that makes each batch last at least `seconds`.

    Args:
        seconds: The shortest time of a batch.
        changes: An array. Each batch changes a little of it, so that each save must write it.
    """
    import keras

    class Paced(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            began[0] = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            if changes is not None:
                changes[:1] += 1
            time.sleep(max(0.0, began[0] + seconds - time.perf_counter()))

    # Not an attribute of the callback: it would then be a part of the callback's state.
    began = [0.0]
    return Paced()


class Watch:
    """Watches a fit() from outside at each batch end, until it has made `saves` saves."""

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
        """The share that saves cost, over whole intervals; NaN for fewer than two saves."""
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
    """The cost of saves with save_freq="auto", in this process, on its backend.

    Args:
        case: "held" or "behind".
        saves: The number of saves after which it ends.
        seconds: The time after which it ends in any case.
        folder: The backup folder.

    Returns:
        ``overhead`` and ``bound``, as shares, and ``chosen``: the save report and the schedule.
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
    chosen = {**backup.save_report, **backup._schedule.as_state()}
    return {"overhead": watch.overhead(), "bound": BOUND, "chosen": chosen}
