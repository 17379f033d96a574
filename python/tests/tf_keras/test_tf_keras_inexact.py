"""What cannot be exact is said: at the first checkpoint, and when a run resumes from it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from small_tf_fit import Never, data, fit, interrupt, make_model

import rekindle
from rekindle.tf_keras import BackupAndRestore


class Shuffling(tf_keras.utils.Sequence):
    def __init__(self):
        self.x, self.y = data()

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return self.x[4 * index : 4 * index + 4], self.y[4 * index : 4 * index + 4]

    def on_epoch_end(self):
        self.x, self.y = np.roll(self.x, 1, 0), np.roll(self.y, 1, 0)


class Still(Shuffling):
    on_epoch_end = tf_keras.utils.Sequence.on_epoch_end


def said(backup_dir, model=None, **more):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model or make_model(), BackupAndRestore(backup_dir), **more)
    return [str(one.message) for one in caught if one.category is rekindle.InexactWarning]


class Permuting(tf_keras.layers.Layer):
    def call(self, x):
        return x + tf.cast(tf.random.shuffle(tf.range(4)), tf.float32)


def test_an_operation_whose_state_is_tensorflows_own(backup_dir):
    model = make_model(Permuting())
    (text,) = said(backup_dir, model)
    assert "RandomShuffle, whose state TensorFlow keeps to itself" in text


def test_and_the_resumed_run_says_it_again(backup_dir):
    with pytest.warns(rekindle.InexactWarning, match="RandomShuffle"):
        interrupt(make_model(Permuting()), BackupAndRestore(backup_dir, 2), 1, 4)
    callback = BackupAndRestore(backup_dir, 2)
    with (
        pytest.warns(rekindle.InexactWarning, match="the loss is not that of the interrupted run"),
        pytest.warns(rekindle.InexactWarning, match="RandomShuffle"),
    ):
        fit(make_model(Permuting()), callback, Never())
    assert callback.resume_report["exact"] is False
    assert callback.resume_report["evidence"] == "differs"
    assert "RandomShuffle" in callback.resume_report["notes"][0]


class Always(tf_keras.layers.Layer):
    def call(self, x):
        return tf.nn.dropout(x, 0.5)


def test_a_validation_that_draws(backup_dir):
    assert said(backup_dir, make_model(Always())) == []
    (text,) = said(backup_dir, make_model(Always()), validation_data=data())
    assert "a validation step draws with TensorFlow's RandomUniform" in text


def test_an_eager_model_that_draws_without_a_seed(backup_dir):
    model = make_model(run_eagerly=True)
    assert said(f"{backup_dir}-seeded", model) == []
    tf.random.set_seed(None)
    (text,) = said(backup_dir, make_unseeded())
    assert "draws random numbers that have no seed" in text


def make_unseeded():
    model = tf_keras.Sequential([tf_keras.layers.Dropout(0.5), tf_keras.layers.Dense(1)])
    model.compile("adam", "mse", run_eagerly=True)
    return model


def test_a_sequence_that_changes_itself_with_workers(backup_dir):
    for data_set, shuffle in ((Shuffling(), False), (Still(), True)):
        (text,) = said(backup_dir, x=data_set, workers=3, shuffle=shuffle)
        assert "twice in an epoch, depending on how long" in text
    assert said(backup_dir, x=Shuffling()) == []
    assert said(backup_dir, x=Still(), workers=3, shuffle=False) == []


def test_validation_data_that_cannot_be_continued(backup_dir):
    (text,) = said(backup_dir, validation_data=Shuffling())
    assert "the validation data is a Sequence that changes itself" in text

    def batches():
        while True:
            yield data()

    (text,) = said(backup_dir, validation_data=batches(), validation_steps=2)
    assert "the validation data is a generator" in text


def test_a_variable_that_a_later_step_makes(backup_dir):
    class Growing(tf_keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.model.late = tf.Variable(1.0)

    with pytest.warns(rekindle.InexactWarning, match="were created during training"):
        fit(make_model(), BackupAndRestore(backup_dir), Growing())
