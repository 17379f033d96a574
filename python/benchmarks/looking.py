"""What the witness of a fit() costs for each batch, beside a step of 10 ms.

The calls that a fit() makes are timed one by one, each in the middle of a loop of the others, with
arrays of the backend. A row has the seconds of a batch.
"""

from __future__ import annotations

import os
import time

import keras
import numpy as np

from benchmarks import timing
from rekindle import Tolerance
from rekindle._storage.resolve import resolve
from rekindle._training.witness.ring import Ring
from rekindle._training.witness.samples import sample
from rekindle._training.witness.witness import Witness

_BATCHES, _ROUNDS = 1000, 20
STEP = 0.01


def measured(folder: str) -> dict[str, list[float]]:
    """Seconds for each batch, in rounds: the digest alone, and everything."""
    batch, logs = _batch(), {"loss": _as_tensor(np.float32(0.5))}
    sees_batches = keras.backend.backend() != "tensorflow"
    storage = resolve(os.path.join(folder, "witness"))
    storage.hold()
    rows: dict[str, list[float]] = {}
    for number in range(_ROUNDS):
        witness = Witness(Ring(storage), Tolerance(), print, clock=_stopped)
        witness.begin(None, is_changed=False)
        witness.epoch_begins(number)
        rows.setdefault("digest", []).append(_each(lambda _: sample(batch)) * sees_batches)

        def look(done: int, witness: Witness = witness) -> None:
            if sees_batches:
                witness.sees_batch(batch)
            witness.step_ended(done + 1, logs)

        rows.setdefault("everything", []).append(_each(look))
        witness.close()
    storage.release()
    timing.join_writer()
    rows["beside the digest"] = [
        every - digest for every, digest in zip(rows["everything"], rows["digest"], strict=True)
    ]
    rows["share of a step"] = [every / STEP for every in rows["everything"]]
    return rows


def _stopped() -> float:
    """A clock by which looking takes no time: the witness looks at every batch."""
    return 0.0


def _each(call) -> float:
    began = time.perf_counter()
    for number in range(_BATCHES):
        call(number)
    return (time.perf_counter() - began) / _BATCHES


def _batch() -> tuple:
    rng = np.random.default_rng(0)
    arrays = (rng.normal(size=(32, 784)).astype("float32"), rng.integers(10, size=32))
    return tuple(_as_tensor(array) for array in arrays)


def _as_tensor(array):
    # On JAX, the batches of arrays are NumPy's.
    is_batch = keras.backend.backend() == "jax" and array.ndim
    return array if is_batch else keras.ops.convert_to_tensor(array)
