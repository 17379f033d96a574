"""A step on TensorFlow that draws with operations of TensorFlow: said at the first checkpoint."""

from __future__ import annotations

import warnings

import keras
from never_and_again import X, on_tensorflow

import rekindle
from rekindle.keras import BackupAndRestore


class Noisy(keras.layers.Layer):
    def __init__(self, draw):
        super().__init__()
        self.draw = draw

    def call(self, x):
        return x + self.draw(keras.ops.shape(x))


def told(draw, backup_dir, **more):
    """The warnings of a fit() whose model draws so."""
    model = keras.Sequential([Noisy(draw), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    model.compile("sgd", "mse", **more)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        backup = BackupAndRestore(backup_dir)
        model.fit(X, X[:, :1], epochs=1, verbose=0, callbacks=[backup])
    return [str(one.message) for one in caught if one.category is rekindle.InexactWarning]


@on_tensorflow
def test_numbers_of_tensorflow_are_named_and_those_of_keras_are_not(backup_dir):
    import tensorflow as tf

    (text,) = told(tf.random.normal, backup_dir)
    assert "a training step draws with TensorFlow's RandomStandardNormal" in text
    assert "`keras.random.SeedGenerator` instead" in text
    seeds = keras.random.SeedGenerator(1)
    assert told(lambda shape: keras.random.normal(shape, seed=seeds), backup_dir) == []


@on_tensorflow
def test_in_an_eager_step_they_come_from_a_state_that_is_saved(backup_dir):
    import tensorflow as tf

    tf.random.set_seed(1)
    assert told(tf.random.normal, backup_dir, run_eagerly=True) == []
