"""A checkpoint can lead only to positions that a run can have."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from forging import Stop, forge
from small_fit import fit, make_model

import rekindle
from rekindle.keras import BackupAndRestore


class Rows(keras.utils.PyDataset):
    def __init__(self, path="here"):
        super().__init__()
        self.path = path
        self.drawn = 0

    def __len__(self):
        return 4

    def __getitem__(self, index):
        self.drawn += 1
        return np.full((4, 3), self.drawn, "float32"), np.ones((4, 1))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("path", "/etc/x"),
        ("drawn", "/etc/x"),
        ("_workers", 64),
        ("_use_multiprocessing", True),
        ("_max_queue_size", 10**9),
        ("__getitem__", 3),
        ("on_epoch_end", 3),
        ("workers", 64),
    ],
)
def test_a_save_never_changes_what_the_script_set_of_a_data_set(name, value, tmp_path):
    folder, data = tmp_path / "backup", Rows()
    with pytest.raises(RuntimeError, match="Interrupting!"):
        make_model().fit(data, epochs=3, verbose=0, callbacks=[BackupAndRestore(folder), Stop(2)])
    forge(folder, lambda state: state["data"]["dataset"].update({name: value}))
    data = Rows()
    before = dict(vars(data))
    with pytest.raises(rekindle.DamageError):
        make_model().fit(data, epochs=3, verbose=0, callbacks=[BackupAndRestore(folder)])
    assert {**vars(data), "drawn": 0} == before


PLACES = {
    "num_batches": (10**12 + 0.5, -1, "x", True, 2**60),
    "steps": (10**12, -1, 1.5, "x", None),
    "earlier": (10**12, -7, 1.5, "x", None),
    "base": (2**31, -1, "x"),
    "live": (3, None, "x"),
    "draws_ahead": (3, None),
    "random": ({}, None, 3),
    "made": (3, {}),
    "loaders": (3, None),
}


@pytest.mark.parametrize("steps", [None, 5])
@pytest.mark.parametrize("name", PLACES)
def test_a_place_in_the_data_that_cannot_be_is_refused(name, steps, tmp_path):
    folder = tmp_path / "backup"

    def train(*callbacks):
        rng = np.random.default_rng(0)
        x = rng.normal(size=(40, 3))
        return make_model().fit(
            x,
            x[:, :1],
            epochs=3,
            batch_size=4,
            steps_per_epoch=steps,
            verbose=0,
            callbacks=[BackupAndRestore(folder, save_freq=3), *callbacks],
        )

    with pytest.raises(RuntimeError, match="Interrupting!"):
        train(Stop(1))
    for value in PLACES[name]:
        forge(folder, lambda state, value=value: state["data"]["place"].update({name: value}))
        with pytest.raises(rekindle.DamageError):
            train()


def test_extra_state_of_another_shape_is_refused(tmp_path):
    folder, counts = tmp_path / "backup", np.arange(3)
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(make_model(), BackupAndRestore(folder, extra_state={"n": counts}), Stop(2))
    weights, live = make_model(), np.zeros(1, int)
    with pytest.raises(rekindle.MismatchError, match="extra_state"):
        fit(weights, BackupAndRestore(folder, extra_state={"n": live}))
    assert live.tolist() == [0]


@pytest.mark.parametrize(
    "change",
    [
        {"target": "/etc/x"},
        {"target": -1},
        {"target": 0},
        {"_seen_so_far": 10**30},
        {"_values": [1]},
        {"_values": {}},
        {"_values": {"loss": "x"}},
        {"_values_order": ["x"]},
        {"_values_order": "loss"},
        {"stateful_metrics": 3},
    ],
)
def test_a_progress_bar_is_given_numbers_alone(change, tmp_path, capsys):
    folder = tmp_path / "backup"

    def train(*callbacks):
        x = np.ones((20, 3))
        return make_model().fit(
            x,
            x[:, :1],
            batch_size=4,
            epochs=3,
            verbose=1,
            callbacks=[BackupAndRestore(folder, save_freq=3), *callbacks],
        )

    with pytest.raises(RuntimeError, match="Interrupting!"):
        train(Stop(2))
    forge(folder, lambda state: state["callbacks"]["ProgbarLogger"]["beside"].update(change))
    with pytest.raises(rekindle.DamageError, match="progress bar"):
        train()


def test_a_masked_array_is_no_extra_state(tmp_path):
    with pytest.raises(rekindle.ArgumentError, match="extra_state"):
        BackupAndRestore(tmp_path / "backup", extra_state={"n": np.ma.array([1.0])})
