"""The callback that R makes serves models of both Keras packages of R."""

from __future__ import annotations

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
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


def lacking(monkeypatch, *names):
    """Makes these modules ones that cannot be imported."""

    class Nobody:
        def find_spec(self, name, path=None, target=None):
            if name in names:
                raise rekindle.DependencyError("not installed", package="keras")

    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Nobody(), *sys.meta_path])


def test_where_only_one_keras_is_installed_it_serves_that_one(backup_dir, monkeypatch):
    with monkeypatch.context() as patch:
        lacking(patch, "rekindle._r.for_keras_3", "rekindle.keras")
        assert isinstance(callback(backup_dir), rekindle.tf_keras.BackupAndRestore)
    with monkeypatch.context() as patch:
        lacking(patch, "rekindle._r.for_keras_2", "rekindle.tf_keras")
        patch.delitem(sys.modules, "keras")
        assert isinstance(callback(backup_dir, keras_2=True), rekindle.keras.BackupAndRestore)
    with monkeypatch.context() as patch:
        lacking(patch, "rekindle._r.for_keras_2", "rekindle._r.for_keras_3")
        with pytest.raises(rekindle.DependencyError):
            callback(backup_dir)


@pytest.mark.parametrize(
    ("first", "keras_2", "other"),
    [("tf_keras", False, "keras"), ("keras", False, "tf_keras"), ("json", True, "keras")],
)
def test_the_other_keras_is_not_imported(tmp_path, first, keras_2, other):
    code = f"""
import sys, {first}, rekindle._r
rekindle._r.backup_and_restore(backup_dir={str(tmp_path)!r}, keras_2={keras_2})
print({other!r} in sys.modules)
"""
    # As R's keras sets it. Without it, TensorFlow itself imports Keras 3.
    env = dict(os.environ, TF_USE_LEGACY_KERAS="1", KERAS_BACKEND="jax")
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_made_for_keras_2_it_serves_keras_3(backup_dir):
    from rekindle._r.for_keras_2 import BackupAndRestore

    x, y = data()
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    ours = BackupAndRestore(backup_dir=backup_dir, delete_checkpoint=False)
    model.fit(x, y, epochs=2, verbose=0, callbacks=[ours])
    assert ours.save_report["saves"] == 2
    again = BackupAndRestore(backup_dir=backup_dir)
    model.fit(x, y, epochs=3, verbose=0, callbacks=[again])
    assert again.resume_report["epoch"] == 2
    fit(make_model(), BackupAndRestore(backup_dir=f"{backup_dir}-2"))


def test_its_text_has_the_folder_and_what_happened(backup_dir):
    ours = callback(backup_dir, save_freq=2)
    assert repr(ours) == f"<BackupAndRestore({str(backup_dir)!r}, save_freq=2)>"
    interrupt(make_model(), ours, 1, 4)
    assert repr(ours).endswith(", save_freq=2), 4 checkpoints written>")
    again = callback(backup_dir, save_freq=2)
    fit(make_model(), again, Never())
    assert ", resumed after epoch 1, batch 3, " in repr(again)
