"""The callback that R makes serves models of both Keras packages of R."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tf_keras
from small_tf_fit import Never, assert_same, data, fit, interrupt, make_model, values

import rekindle._r
import rekindle.keras
import rekindle.tf_keras


def callback(backup_dir, **more):
    return rekindle._r.backup_and_restore(backup_dir=str(backup_dir), **more)


def test_a_model_of_keras_2_is_resumed_exactly(backup_dir):
    expected = make_model()
    history = fit(expected, callback(f"{backup_dir}-other", save_freq=2), Never())
    interrupt(make_model(), callback(backup_dir, save_freq=2), 1, 4)
    ours, model = callback(backup_dir, save_freq=2, restore_history=True), make_model()
    again = fit(model, ours, Never())
    assert (ours.resume_report["epoch"], ours.resume_report["batch"]) == (1, 3)
    assert ours.resume_report["exact"], ours.resume_report["notes"]
    assert ours.save_report["saves"] > 0
    assert again.history == history.history
    assert_same(values(expected), values(model))


def test_the_same_object_serves_both(backup_dir):
    ours = callback(backup_dir, delete_checkpoint=False)
    assert isinstance(ours, rekindle.keras.BackupAndRestore)
    fit(make_model(), ours)
    assert ours.save_report["saves"] == 3
    x, y = data()
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    other = callback(f"{backup_dir}-3", delete_checkpoint=False)
    model.fit(x, y, epochs=2, verbose=0, callbacks=[other])
    assert other.save_report["saves"] == 2
    with pytest.raises(rekindle.MismatchError):
        model.fit(x, y, epochs=2, verbose=0, callbacks=[ours])


def test_hooks_called_by_hand_are_served(backup_dir):
    ours = callback(backup_dir, delete_checkpoint=False)
    ours.set_model(make_model())
    ours.on_train_begin()
    ours.on_epoch_begin(0)
    ours.on_epoch_end(0, {"loss": np.float32(1.0)})
    ours.on_train_end()
    assert (backup_dir / "ckpt-1.json").exists()


def test_a_wrong_argument_is_an_error_at_once(backup_dir):
    with pytest.raises(rekindle.ArgumentError):
        callback(backup_dir, save_freq="sometimes")


def test_where_only_keras_2_is_installed_it_serves_keras_2(backup_dir, monkeypatch):
    import sys

    class Nobody:
        def find_spec(self, name, path=None, target=None):
            if name in ("rekindle._r.callback", "rekindle.keras"):
                raise rekindle.DependencyError("not installed", package="keras")

    for name in ("rekindle._r.callback", "rekindle.keras"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Nobody(), *sys.meta_path])
    assert type(callback(backup_dir)) is rekindle.tf_keras.BackupAndRestore
    assert isinstance(callback(backup_dir), tf_keras.callbacks.Callback)
