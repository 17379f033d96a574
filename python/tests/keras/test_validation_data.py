"""Validation data that has a place, and caches of tf.data."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from small_fit import Interrupt, assert_same, values

import rekindle
from rekindle.keras import BackupAndRestore

ON = keras.backend.backend()
X = np.random.RandomState(0).normal(size=(40, 6)).astype("float32")
Y = X[:, :1] * 2 + 1


def shuffled():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(40).repeat().batch(8), 2


def shuffled_whole():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(40).take(16).batch(8), None


def shuffled_cached():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(40).take(16).cache().batch(8), None


def loader():
    import torch

    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    own = torch.Generator().manual_seed(5)
    return torch.utils.data.DataLoader(data, batch_size=8, shuffle=True, generator=own), 2


def loader_of_noise():
    import torch

    class Noise(torch.utils.data.Dataset):
        def __init__(self):
            self.rng = np.random.default_rng(1)

        def __len__(self):
            return 16

        def __getitem__(self, index):
            return X[index] + self.rng.normal(size=6).astype("float32"), Y[index]

    return torch.utils.data.DataLoader(Noise(), batch_size=8), None


def generator():
    def batches():
        rng = np.random.default_rng(2)
        while True:
            rows = rng.integers(40, size=8)
            yield X[rows], Y[rows]

    return batches(), 2


class Rows(keras.utils.PyDataset):
    """Goes on through the rows, over all epochs, and draws."""

    def __init__(self):
        super().__init__()
        self.begin, self.rng = 0, np.random.default_rng(3)

    def __len__(self):
        return 2

    def __getitem__(self, index):
        rows = (self.begin + np.arange(8) + 8 * index) % 40
        return X[rows] + self.rng.normal(size=(8, 6)).astype("float32"), Y[rows]

    def on_epoch_end(self):
        self.begin += 5


def py_dataset():
    return Rows(), None


KINDS = {
    "tensorflow": [shuffled, shuffled_whole, shuffled_cached, generator, py_dataset],
    "torch": [loader, loader_of_noise, generator, py_dataset, shuffled],
    "jax": [generator, py_dataset, shuffled, shuffled_cached],
}[ON]


def run(make, *callbacks, epochs=5, every=1):
    keras.utils.set_random_seed(1)
    held_out, steps = make()
    model = keras.Sequential(
        [keras.layers.Input((6,)), keras.layers.Dropout(0.2), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(0.3), "mse")
    # Otherwise the validation data would not change what is trained.
    slower = keras.callbacks.ReduceLROnPlateau(patience=0, factor=0.7, min_delta=0.3)
    return model, model.fit(
        X,
        Y,
        batch_size=8,
        epochs=epochs,
        verbose=0,
        validation_data=held_out,
        validation_steps=steps,
        validation_freq=every,
        callbacks=[slower, *callbacks],
    )


@pytest.mark.filterwarnings("ignore:Learning rate reduction is conditioned:UserWarning")
@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("save_freq", ["epoch", 2])
@pytest.mark.parametrize("make", KINDS)
def test_validation_data_goes_on_where_it_was(backup_dir, make, save_freq, every):
    never, expected = run(make, every=every)

    def backup():
        return BackupAndRestore(backup_dir, save_freq=save_freq, restore_history=True)

    with warnings.catch_warnings():
        warnings.simplefilter("error", rekindle.RekindleWarning)
        for epoch, batch in ((1, 3), (3, 3)):
            with pytest.raises(RuntimeError, match="Interrupting!"):
                run(make, backup(), Interrupt(epoch, batch), every=every)
        again, history = run(make, backup(), every=every)
    assert history.history["val_loss"] == expected.history["val_loss"]
    assert_same(values(again), values(never))


def pipelines():
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((X, Y))
    draw = tf.random.Generator.from_seed(3)
    return {
        "shuffled": lambda: data.shuffle(40).cache().batch(8).prefetch(2),
        "shuffled twice": lambda: data.shuffle(40).batch(8).cache().shuffle(5),
        "with noise": lambda: data.map(lambda x, y: (x + draw.normal((6,)), y)).cache().batch(8),
    }


@pytest.mark.skipif(ON == "torch", reason="tf.data is tested on the other backends")
@pytest.mark.parametrize("save_freq", ["epoch", 2])
@pytest.mark.parametrize("kind", ["shuffled", "shuffled twice"])
def test_what_a_cache_keeps_is_in_it_again(backup_dir, kind, save_freq):
    def go(*callbacks):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        data = pipelines()[kind]()
        model.fit(data, epochs=5, shuffle=False, verbose=0, callbacks=list(callbacks))
        return model

    never = go()
    for epoch, batch in ((0, 4), (2, 3), (3, 1)):
        backup = BackupAndRestore(backup_dir, save_freq=save_freq)
        with pytest.raises(RuntimeError, match="Interrupting!"):
            go(backup, Interrupt(epoch, batch))
    again = go(BackupAndRestore(backup_dir, save_freq=save_freq))
    assert_same(values(again), values(never))


@pytest.mark.skipif(ON == "torch", reason="tf.data is tested on the other backends")
def test_a_cache_is_read_only_if_it_keeps_something_random(tmp_path):
    import tensorflow as tf

    from rekindle._keras.sources.caches import keeps_a_random_order as keeps

    data = tf.data.Dataset.from_tensor_slices((X, Y))
    file = str(tmp_path / "cache")
    assert all(keeps(make()) for make in pipelines().values())
    assert keeps(data.map(lambda x, y: (x + tf.random.normal((6,)), y)).cache())
    assert keeps(tf.data.Dataset.zip(data, data.shuffle(9).cache()).batch(2))
    for other in (
        data,
        data.cache().shuffle(40),
        data.map(lambda x, y: (x * 2, y)).cache().batch(8),
        data.shuffle(40).cache(file),
        data.shuffle(40).batch(8),
    ):
        assert not keeps(other)
