"""Mismatches that are refused, mismatches with a warning, and changes that are allowed."""

from __future__ import annotations

import os
import re
import warnings

import keras
import numpy as np
import pytest
from small_fit import Interrupt, Probe, assert_same, data, fit, interrupt, make_model, run_code

import rekindle
from rekindle._keras import internals
from rekindle.keras import BackupAndRestore


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"width": 5},
            r"model/sequential/dense/kernel: expected float32 \(3, 5\), found float32 \(3, 4\)",
        ),
        ({"name": "other"}, "model/sequential/other/kernel: expected .*, found no such variable"),
        ({"optimizer": "sgd"}, "expected no such variable, found .* in the backup"),
    ],
)
def test_another_model_is_refused_with_a_list_of_the_differences(backup_dir, change, expected):
    interrupt(make_model(), BackupAndRestore(backup_dir), 2)
    before = sorted(os.listdir(backup_dir))
    other = make_model(**change)
    untouched = [np.array(w) for w in other.get_weights()]
    with pytest.raises(rekindle.MismatchError, match="is of another model") as caught:
        fit(other, BackupAndRestore(backup_dir))
    assert any(re.search(expected, line) for line in caught.value.differences)
    assert sorted(os.listdir(backup_dir)) == before
    assert_same(other.get_weights(), untouched)
    assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [2]


def test_the_names_of_a_second_model_in_one_session_are_those_of_the_first(backup_dir):
    interrupt(make_model(), BackupAndRestore(backup_dir), 2)
    keras.layers.Dense(2)
    assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [2]


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"batch_size": 5}, "batch size: expected 5, found 4 in the backup"),
        ({"samples": 24}, "number of samples: expected 24, found 20 in the backup"),
        ({"shuffle": False}, "shuffle: expected False, found True in the backup"),
    ],
)
def test_another_set_up_is_refused_or_on_demand_warned_about(backup_dir, change, difference):
    interrupt(make_model(), BackupAndRestore(backup_dir), 2)
    with pytest.raises(rekindle.MismatchError, match="of another training set-up") as caught:
        fit(make_model(), BackupAndRestore(backup_dir), **change)
    assert difference in caught.value.differences
    callback = BackupAndRestore(backup_dir, allow_changes="all")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert fit(make_model(), callback, **change).epoch == [2]
    assert any(difference in str(w.message) for w in caught)
    assert callback.resume_report["exact"] is False


def test_a_second_model_with_dropout_in_one_session_is_the_first(backup_dir):
    def with_dropout():
        layers = [keras.layers.Dense(4), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
        model = keras.Sequential([keras.layers.Input((3,)), *layers])
        model.compile("adam", "mse")
        return model

    interrupt(with_dropout(), BackupAndRestore(backup_dir), 2)
    assert fit(with_dropout(), BackupAndRestore(backup_dir)).epoch == [2]


def test_epochs_and_validation_data_may_change(backup_dir):
    interrupt(make_model(), BackupAndRestore(backup_dir), 2)
    history = fit(make_model(), BackupAndRestore(backup_dir), epochs=7, validation_data=data(8))
    assert history.epoch == [2, 3, 4, 5, 6]


def test_a_callback_that_is_gone_is_said_and_the_run_goes_on(backup_dir):
    class Counter(keras.callbacks.Callback):
        count = 0

        def on_epoch_end(self, epoch, logs=None):
            self.count = self.count + 1

    with pytest.raises(RuntimeError):
        fit(make_model(), BackupAndRestore(backup_dir), Counter(), Interrupt(2))
    with pytest.warns(rekindle.InexactWarning, match="the callback Counter is no longer in the"):
        assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [2]


def test_what_cannot_be_saved_is_named_once(backup_dir):
    class Tracker:
        pass

    class Tracking(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.tracker = Tracker()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(make_model(), BackupAndRestore(backup_dir), Tracking())
    ours = [w for w in caught if issubclass(w.category, rekindle.RekindleWarning)]
    assert [str(w.message)[:16] for w in ours] == ["Tracking.tracker"]


def test_where_the_data_cannot_be_found_the_epoch_begins_again_and_says_so(backup_dir, monkeypatch):
    interrupt(make_model(), BackupAndRestore(backup_dir, save_freq=1), 1, 3)
    monkeypatch.setattr(internals, "find_fit", dict)
    callback, probe = BackupAndRestore(backup_dir, save_freq=1), Probe()
    with pytest.warns(rekindle.InexactWarning, match="epoch 1 .* starts again"):
        fit(make_model(), callback, probe)
    assert probe.seen[0] == (1, 0)
    assert callback.resume_report["exact"] is False


def test_where_keras_does_not_begin_at_the_epoch_it_is_said(backup_dir, monkeypatch):
    interrupt(make_model(), BackupAndRestore(backup_dir), 2)
    monkeypatch.setattr(internals, "set_initial_epoch", lambda model, epoch: None)
    with pytest.warns(rekindle.InexactWarning, match="began at epoch 0 .*, not at 2"):
        fit(make_model(), BackupAndRestore(backup_dir))


def test_layers_that_were_adapted_to_other_data_are_refused(backup_dir):
    def model(bins):
        made = keras.Sequential(
            [
                keras.layers.Input((3,)),
                keras.layers.Discretization(bin_boundaries=bins),
                keras.layers.Dense(1),
            ]
        )
        made.compile("adam", "mse")
        return made

    interrupt(model([0.0, 1.0]), BackupAndRestore(backup_dir), 1)
    with pytest.raises(
        rekindle.MismatchError, match="adapted layer 1, a Discretization: expected '2 values"
    ):
        fit(model([0.0, 2.0]), BackupAndRestore(backup_dir))
    assert fit(model([0.0, 1.0]), BackupAndRestore(backup_dir)).epoch == [1, 2]


ON_ANOTHER_BACKEND = """
    import sys, keras
    from small_fit import fit, interrupt
    from rekindle.keras import BackupAndRestore
    model = keras.Sequential(
        [keras.layers.Input((3,)), keras.layers.Dropout(0.2), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    interrupt(model, BackupAndRestore(sys.argv[1]), 2)
    print(*model.get_weights()[0][:, 0])
"""


def test_a_backup_of_another_backend_is_named_as_such_or_goes_on(backup_dir):
    other = "torch" if keras.backend.backend() == "jax" else "jax"
    printed = run_code(ON_ANOTHER_BACKEND, backup_dir, KERAS_BACKEND=other)

    def model():
        made = keras.Sequential(
            [keras.layers.Input((3,)), keras.layers.Dropout(0.2), keras.layers.Dense(1)]
        )
        made.compile("adam", "mse")
        return made

    mine = keras.backend.backend()
    with pytest.raises(rekindle.MismatchError) as caught:
        fit(model(), BackupAndRestore(backup_dir))
    assert caught.value.differences == [
        f"backend: expected {mine!r}, found {other!r} in the backup"
    ]
    probe, backup = Probe(), BackupAndRestore(backup_dir, allow_changes="all")
    with pytest.warns(rekindle.InexactWarning, match="backend: expected"):
        assert fit(model(), backup, probe).epoch == [2]
    assert backup.resume_report["exact"] is False
    kernel = next(value for value in probe.first if value.shape == (3, 1))
    assert " ".join(str(one) for one in kernel[:, 0]) == printed.strip()
