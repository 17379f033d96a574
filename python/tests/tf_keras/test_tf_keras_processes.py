"""Killed by SIGKILL and resumed by another process: equal to the run never killed, bit for bit.

The whole table is made by `make exact`.
"""

from __future__ import annotations

import json

import pytest
from small_tf_fit import run_scenario

CELLS = [
    ("arrays", "plain", 4, ["begin", 2, 4]),
    ("arrays, no seed", "plain", "epoch", ["validation", 2]),
    ("Sequence", "plain", 1, ["begin", 1, 7]),
    ("tf.data, shuffled validation", "plain", 4, ["begin", 2, 4]),
    ("generator on global NumPy", "plain", 4, ["begin", 2, 4]),
    ("arrays", "MirroredStrategy", 4, ["begin", 2, 4]),
    ("arrays", "stateful LSTM", 4, ["begin", 2, 4]),
]


@pytest.mark.parametrize(("source", "training", "save_freq", "kill"), CELLS)
def test_a_killed_run_is_resumed_exactly(tmp_path, source, training, save_freq, kill):
    cell = {"source": source, "training": training, "save_freq": save_freq}
    assert run_scenario(tmp_path / "never", **cell) == 0
    assert run_scenario(tmp_path / "killed", kill=kill, **cell) == -9
    assert run_scenario(tmp_path / "killed", **cell) == 0
    never, killed = (
        json.loads((tmp_path / name / "report.json").read_text()) for name in ("never", "killed")
    )
    assert never == killed
    (line,) = (tmp_path / "killed" / "resumed.jsonl").read_text().splitlines()
    assert json.loads(line)["exact"]
