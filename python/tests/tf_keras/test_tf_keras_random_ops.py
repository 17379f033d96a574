"""The stateless operations give the numbers of TensorFlow's own, and can be continued."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from rekindle._frameworks.tensorflow_draws import left_over
from rekindle._tf_keras.random_ops import RandomOps

SHAPES = [(), (1,), (3,), (7, 5), (64, 33), (1000, 257)]


def draws(function, times=4):
    return [np.asarray(tf.cast(function(), tf.float64)) for _ in range(times)]


def drawing(name, shape, dtype, seed=None):
    return tf.function(lambda: getattr(tf.random, name)(shape, dtype=dtype, seed=seed))


@pytest.mark.parametrize("name", ["uniform", "normal", "truncated_normal"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_numbers_are_those_of_tensorflow(name, dtype):
    for shape in SHAPES:
        tf.random.set_seed(5)
        expected = draws(drawing(name, shape, dtype, seed=3))
        tf.random.set_seed(5)
        with RandomOps().traced():
            found = draws(drawing(name, shape, dtype, seed=3))
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=str(shape))


def test_numbers_without_a_seed_can_be_continued():
    tf.random.set_seed(None)
    first, second = RandomOps(), RandomOps()
    with first.traced():
        function = drawing("uniform", (3,), "float32")
        draws(function)
        saved = {name: state.numpy() for name, state in first.state.items()}
        expected = draws(function)
    with second.traced():
        function = drawing("uniform", (3,), "float32")
        function()
        for name, state in second.state.items():
            state.assign(saved[name])
        np.testing.assert_array_equal(draws(function), expected)


def test_outside_of_a_graph_and_of_the_context_nothing_changes():
    operations = RandomOps()
    with operations.traced():
        tf.random.uniform((3,))
    drawing("uniform", (3,), "float32")()
    assert operations.state == {}


def test_operations_without_a_counterpart_are_named():
    @tf.function
    def draw():
        return tf.random.uniform((3,)), tf.random.shuffle(tf.range(3)), tf.random.gamma((3,), 1.0)

    with RandomOps().traced():
        draw()
    assert left_over(draw) == ["RandomGamma", "RandomShuffle"]
