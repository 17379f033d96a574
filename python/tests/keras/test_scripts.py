"""Scripts as users write them, killed at random batches: a small part of the table of scripts.

`make exact EXACT_ARGS=scripts` makes the whole table.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import pytest

TABLE = Path(__file__).parents[2] / "exact" / "scripts" / "table.py"

# Its own callback keeps its state out of the reach of a checkpoint.
HIDES_STATE = """
import keras, numpy as np
from rekindle.keras import BackupAndRestore

keras.utils.set_random_seed(1)
x = np.random.RandomState(0).normal(size=(40, 3)).astype("float32")
steps = iter(range(1000))

class Decay(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.1 / (1 + next(steps))

model = keras.Sequential([keras.layers.Dense(1)])
model.compile("sgd", "mse")
backup = BackupAndRestore("backup", restore_history=True)
history = model.fit(x, x[:, :1], batch_size=4, epochs=4, verbose=0, callbacks=[backup, Decay()])
"""


def table(*arguments):
    command = [sys.executable, str(TABLE), "--backends", keras.backend.backend(), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_two_scripts_are_equal_and_verified():
    done = table("--scripts", "convnet", "distillation", "--kills", "1", "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split()[:5] for line in done.stdout.splitlines()[2:4]]
    on = keras.backend.backend()
    assert rows == [["convnet", on, "1", "1", "1"], ["distillation", on, "1", "1", "1"]]


def test_the_table_shows_a_run_that_differs(tmp_path):
    (tmp_path / "hides_state.py").write_text(HIDES_STATE)
    done = table("--folder", str(tmp_path), "--kills", "1", "--seed", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    row, why = done.stdout.splitlines()[2:4]
    assert row.split()[:6] == ["hides_state", keras.backend.backend(), "1", "0", "0", "WRONG"]
    assert "differs: " in why
    assert "script: history" in why


def test_the_table_names_a_script_that_is_not_there():
    done = table("--scripts", "nothing", "--kills", "1")
    assert done.returncode == 1
    assert "no script 'nothing' runs on" in done.stdout
