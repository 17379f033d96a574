"""A fit() may have only one callback that backs up and restores."""

from __future__ import annotations

import os

import keras
import pytest
from small_fit import Interrupt, Probe, assert_same, fit, interrupt, make_model

import rekindle
from rekindle.keras import BackupAndRestore

KerasOwn = keras.callbacks.BackupAndRestore


class Mine(BackupAndRestore):
    pass


class PassesOn(keras.callbacks.Callback):
    """Holds a callback that Keras does not see."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def set_model(self, model):
        super().set_model(model)
        self.inner.set_model(model)

    def on_train_begin(self, logs=None):
        self.inner.on_train_begin(logs)


def nested(*callbacks):
    return keras.callbacks.CallbackList(list(callbacks))


PAIRS = {
    "two": lambda a, b: [BackupAndRestore(a), BackupAndRestore(b)],
    "one folder": lambda a, b: [BackupAndRestore(a), BackupAndRestore(a)],
    "by the batch": lambda a, b: [BackupAndRestore(a, save_freq=1), BackupAndRestore(b)],
    "one object twice": lambda a, b: [BackupAndRestore(a, save_freq=2)] * 2,
    "a subclass": lambda a, b: [Mine(a), BackupAndRestore(b)],
    "a subclass behind": lambda a, b: [BackupAndRestore(b), Mine(a)],
    "nested in front": lambda a, b: [nested(BackupAndRestore(a)), BackupAndRestore(b)],
    "nested behind": lambda a, b: [BackupAndRestore(a), nested(BackupAndRestore(b))],
    "both nested": lambda a, b: [nested(BackupAndRestore(a)), nested(nested(Mine(b)))],
    "one list twice": lambda a, b: [nested(BackupAndRestore(a))] * 2,
    "passed on": lambda a, b: [BackupAndRestore(a), PassesOn(BackupAndRestore(b))],
    "passed on in front": lambda a, b: [PassesOn(BackupAndRestore(a)), BackupAndRestore(b)],
    "both passed on": lambda a, b: [PassesOn(BackupAndRestore(a)), PassesOn(BackupAndRestore(b))],
    "Keras' own": lambda a, b: [BackupAndRestore(a), KerasOwn(b)],
    "Keras' own in front": lambda a, b: [KerasOwn(b, save_freq=1), BackupAndRestore(a)],
    "Keras' own, one folder": lambda a, b: [BackupAndRestore(a), KerasOwn(a)],
    "Keras' own nested": lambda a, b: [nested(KerasOwn(b)), Mine(a)],
}


@pytest.mark.parametrize("pair", PAIRS)
def test_a_second_backup_callback_is_refused_before_training_begins(tmp_path, pair):
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    model, probe = make_model(), Probe()
    untouched = [w.copy() for w in model.get_weights()]
    with pytest.raises(rekindle.RekindleError, match="Expected one: with several") as caught:
        fit(model, *PAIRS[pair](a, b), probe)
    assert isinstance(caught.value, rekindle.ArgumentError)
    assert ("Remove Keras' own callback" in str(caught.value)) is pair.startswith("Keras")
    assert probe.seen == []
    assert_same(model.get_weights(), untouched)
    assert os.listdir(tmp_path) == []
    # The run holds neither folder.
    assert fit(model, BackupAndRestore(a)).epoch == [0, 1, 2]


def test_a_second_backup_callback_leaves_a_backup_as_it_is(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    interrupt(make_model(), BackupAndRestore(a), 2)
    before = sorted((p.name, p.read_bytes()) for p in a.glob("ckpt*"))
    with pytest.raises(rekindle.ArgumentError):
        fit(make_model(), BackupAndRestore(a), BackupAndRestore(b))
    assert sorted((p.name, p.read_bytes()) for p in a.glob("ckpt*")) == before
    assert fit(make_model(), BackupAndRestore(a)).epoch == [2]


def test_one_backup_callback_may_stand_in_a_nested_list(backup_dir):
    with pytest.raises(RuntimeError):
        fit(make_model(), nested(BackupAndRestore(backup_dir)), Interrupt(2))
    assert fit(make_model(), nested(BackupAndRestore(backup_dir))).epoch == [2]


def test_two_fits_of_one_model_have_a_backup_callback_each(tmp_path):
    model = make_model()
    interrupt(model, BackupAndRestore(tmp_path / "a"), 2)
    assert fit(model, BackupAndRestore(tmp_path / "b")).epoch == [0, 1, 2]
    assert fit(model, BackupAndRestore(tmp_path / "a")).epoch == [2]


def test_a_fit_inside_of_a_fit_has_a_backup_callback_of_its_own(tmp_path):
    def train_another(epoch, logs):
        inner.append(fit(make_model(), BackupAndRestore(tmp_path / "b"), epochs=1).epoch)

    inner = []
    also = keras.callbacks.LambdaCallback(on_epoch_end=train_another)
    assert fit(make_model(), BackupAndRestore(tmp_path / "a"), also, epochs=2).epoch == [0, 1]
    assert inner == [[0], [0]]
