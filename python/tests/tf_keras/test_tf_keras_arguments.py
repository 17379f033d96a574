"""The arguments, in upstream's order and with its words, and the fits that are refused."""

from __future__ import annotations

import inspect
import subprocess
import sys
from types import SimpleNamespace

import keras
import pytest
import tensorflow as tf
import tf_keras
from small_tf_fit import fit, make_model

import rekindle
from rekindle._tf_keras import strategies
from rekindle.tf_keras import BackupAndRestore


def test_the_first_arguments_are_those_of_tf_keras():
    def positional(kind):
        parameters = inspect.signature(kind.__init__).parameters.values()
        return [(p.name, p.default) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]

    assert positional(BackupAndRestore) == positional(tf_keras.callbacks.BackupAndRestore)


def test_the_other_arguments_are_those_of_the_front_end_of_keras_3():
    import rekindle.keras

    names = [
        set(inspect.signature(kind.__init__).parameters)
        for kind in (BackupAndRestore, rekindle.keras.BackupAndRestore)
    ]
    # Keras 3 has no strategy of several workers that rekindle supports.
    assert names[0] - {"worker_timeout"} == names[1]


@pytest.mark.parametrize("worker_timeout", [None, 0, 5, "5", "-1 s", "soon"])
def test_the_time_to_wait_for_a_worker_must_be_a_time(backup_dir, worker_timeout):
    with pytest.raises(rekindle.ArgumentError, match="worker_timeout"):
        BackupAndRestore(backup_dir, worker_timeout=worker_timeout)


@pytest.mark.parametrize("save_freq", [None, False, 0])
def test_something_must_be_saved(backup_dir, save_freq):
    with pytest.raises(ValueError, match="Either `save_freq` or `save_before_preemption` must be"):
        BackupAndRestore(backup_dir, save_freq)
    assert BackupAndRestore(backup_dir, save_freq, save_before_preemption=True).save_freq is False


@pytest.mark.parametrize("save_freq", ["epochs", -1, 1.5, True])
def test_a_wrong_argument_is_an_error(backup_dir, save_freq):
    with pytest.raises(rekindle.ArgumentError, match="save_freq"):
        BackupAndRestore(backup_dir, save_freq)


def test_in_a_graph_it_says_what_upstream_says(backup_dir):
    with tf.Graph().as_default(), pytest.raises(ValueError, match="only supports eager mode"):
        BackupAndRestore(backup_dir)

    @tf.function(autograph=False)
    def inside():
        BackupAndRestore(backup_dir)

    with pytest.raises(ValueError, match=r"outside of `tf\.function`s"):
        inside()


def test_a_model_of_keras_3_is_refused(backup_dir):
    with pytest.raises(rekindle.ArgumentError, match=r"use rekindle\.keras\.BackupAndRestore"):
        BackupAndRestore(backup_dir).set_model(keras.Sequential([]))


def test_a_model_of_keras_2_is_sent_from_the_other_front_end(backup_dir):
    import rekindle.keras

    with pytest.raises(rekindle.ArgumentError, match=r"rekindle\.tf_keras\.BackupAndRestore"):
        fit(make_model(), rekindle.keras.BackupAndRestore(backup_dir))


def test_two_callbacks_that_restore_are_refused(backup_dir):
    for other in (BackupAndRestore, tf_keras.callbacks.BackupAndRestore):
        with pytest.raises(rekindle.ArgumentError, match="2 callbacks that back up"):
            fit(make_model(), BackupAndRestore(backup_dir), other(f"{backup_dir}-2"))
    assert not backup_dir.exists()


def test_a_strategy_that_is_not_supported_is_refused(backup_dir):
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        model = make_model()
    with pytest.raises(rekindle.ArgumentError, match="OneDeviceStrategy'> is not supported yet"):
        fit(model, BackupAndRestore(backup_dir))
    assert not backup_dir.exists()


def test_a_tpu_is_refused_with_the_reason(backup_dir, monkeypatch):
    # No TPU is at hand: a strategy of this class cannot be made without one.
    strategy = object.__new__(tf.distribute.TPUStrategy)
    model = SimpleNamespace(distribute_strategy=strategy, _distribution_strategy=strategy)
    options = BackupAndRestore(backup_dir)._settings
    with pytest.raises(rekindle.ArgumentError, match="rekindle was never run on a TPU"):
        strategies.refuse(model, options)


def test_one_worker_of_a_strategy_for_several_trains_alone(backup_dir):
    with tf.distribute.MultiWorkerMirroredStrategy().scope():
        model = make_model()
    callback = BackupAndRestore(backup_dir, 2, delete_checkpoint=False)
    fit(model, callback)
    # One for every two of 15 batches, and the end.
    assert callback.save_report["saves"] == 8


def test_several_workers_are_refused(backup_dir, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"index": 0}}')
    with pytest.raises(rekindle.ArgumentError, match="works in one process only"):
        fit(make_model(), BackupAndRestore(backup_dir))
    assert not backup_dir.exists()


@pytest.mark.parametrize(
    ("front", "other"), [("rekindle.tf_keras", "keras"), ("rekindle.keras", "tf_keras")]
)
def test_neither_front_end_needs_the_other_library(front, other):
    code = f"""
import sys
class Nobody:
    def find_spec(self, name, path=None, target=None):
        if name == "rekindle._{other}" or ("{other}" == "tf_keras" and name == "tf_keras"):
            raise ImportError(name)
sys.meta_path.insert(0, Nobody())
import {front}
print("rekindle._{other}" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "False", done.stderr
