"""A killed and resumed run has the same TensorBoard records as a run never killed."""

from __future__ import annotations

import signal

import forks
import pytest

# The child imports these packages, so the test itself needs neither.
pytest.importorskip("tensorflow")
pytest.importorskip("tensorboard")

SCRIPT = """
import os, signal, sys
import keras, numpy as np
from rekindle.keras import BackupAndRestore

class Killer(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        Killer.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if sys.argv[2:] == ["kill"] and (Killer.epoch, batch) == (2, 3):
            os.kill(os.getpid(), signal.SIGKILL)

folder = sys.argv[1]
keras.utils.set_random_seed(1)
x = np.random.rand(40, 3)
model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
backup = BackupAndRestore(os.path.join(folder, "backup"), save_freq=3)
board = keras.callbacks.TensorBoard(os.path.join(folder, "logs"), update_freq=1)
model.fit(x, x[:, :1], epochs=4, batch_size=8, verbose=0, callbacks=[backup, board, Killer()])
"""


def train(folder, *arguments):
    status, _, errors = forks.run_code(SCRIPT, folder, *arguments)
    assert status in (0, -signal.SIGKILL), errors
    return status


def records(folder):
    """(file's folder, tag, step, value's bytes) of every scalar that TensorBoard would show."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found = []
    for path in sorted((folder / "logs").rglob("events*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    content = value.tensor.SerializeToString()
                    found.append((path.parent.name, value.tag, event.step, content))
    return sorted(found)


@pytest.mark.filterwarnings("ignore")
def test_no_record_is_there_twice_and_none_is_missing(tmp_path):
    assert train(tmp_path / "never") == 0
    assert train(tmp_path / "killed", "kill") == -signal.SIGKILL
    assert train(tmp_path / "killed") == 0
    never = records(tmp_path / "never")
    assert len(never) > 20
    assert records(tmp_path / "killed") == never
