"""A fit() that resumes from a forged state: it starts, or the error says what is wrong."""

from __future__ import annotations

import json
import os
import random
import signal
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import keras
import numpy as np

from faults import children, fuzz, tree
from rekindle.errors import RekindleError
from rekindle.keras import BackupAndRestore

# A resume takes a fraction of a second. After this many seconds, it hangs.
_PATIENCE = 20


def _fit(folder: str, epochs: int) -> None:
    keras.utils.clear_session()
    # The traceback of a finding must name its place.
    keras.config.disable_traceback_filtering()
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    x, y = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")
    callbacks = [
        BackupAndRestore(folder, save_freq=3, delete_checkpoint=False, verbose=0),
        keras.callbacks.ReduceLROnPlateau(monitor="loss"),
        keras.callbacks.EarlyStopping(monitor="loss", patience=100),
    ]
    model.fit(x, y, batch_size=2, epochs=epochs, verbose=0, callbacks=callbacks)


def _resume(folder: str, say: children.Say) -> None:
    signal.alarm(_PATIENCE)
    warnings.simplefilter("ignore")
    try:
        _fit(folder, 3)
    except RekindleError as error:
        say(type(error).__name__)
    except Exception as error:
        # A forged state of another callback may fail much later. That is not a fault of the reader.
        if _raised_in_rekindle(error):
            raise
        say("a callback stumbled over its own values")
    else:
        say("went on")


def _raised_in_rekindle(error: Exception) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return any(f"{os.sep}rekindle{os.sep}" in frame.filename for frame in frames)


def _made_up(source: fuzz.Source, manifest: bytes) -> bytes:
    document = json.loads(manifest)
    del document["xxh3_128"]
    # Change mostly the state and the position of the run. `fuzz.py` covers the rest, which the
    # reader checks.
    part = document["state"] if source.rng.random() < 0.9 else {"x": document}
    for _ in range(source.rng.choice((1, 1, 2, 4))):
        if part is document["state"]:
            source.spoil(part)
        else:
            name = source.rng.choice(("step", "epoch", "batch"))
            document[name] = source.rng.choice((None, 0, 1, 2, 3, 5, 10**6, 2**62))
    return fuzz.with_digest(json.dumps(document).encode()[:-1] + b",")


def run(count: int, seed: int) -> dict[str, Any]:
    """Tries `count` resumes, and returns their outcomes."""
    source = fuzz.Source(random.Random(seed))
    seen: Counter[str] = Counter()
    wrong = []
    with tree.scratch() as top:
        folder = os.path.join(top, "backup")
        _fit(folder, 2)
        start = tree.take(folder)
        name = next(name for name in start if name.endswith(".json"))
        for _ in range(count):
            tree.put(start, folder)
            text = _made_up(source, start[name] or b"")
            Path(folder, name).write_bytes(text)
            outcome = children.run(lambda say: _resume(folder, say))
            if outcome.crash is None and not outcome.status:
                seen[outcome.said[0]] += 1
            else:
                state = text.decode(errors="replace")[:3000]
                wrong.append(f"{outcome.crash or outcome.status} from {state}")
    return {"seen": dict(seen), "wrong": wrong}
