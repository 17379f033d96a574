"""State of a data set beside its position: attributes, and those of its helper objects."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from never_and_again import X, every, on_torch
from small_fit import Interrupt, assert_same, values

import rekindle
from rekindle.keras import BackupAndRestore


class Augment:
    """A helper object with a random generator of its own."""

    def __init__(self):
        self.rng, self.calls = np.random.default_rng(4), 0

    def __call__(self, x):
        self.calls += 1
        return (x + 0.1 * self.rng.normal(size=x.shape)).astype("float32")


class Batches(keras.utils.PyDataset):
    def __init__(self, order=40):
        super().__init__()
        self.steps = [Augment(), {"last": Augment()}]
        self.order = np.arange(order)

    def __len__(self):
        return 5

    def __getitem__(self, index):
        x = X[self.order[index * 8 : index * 8 + 8] % 40]
        x = self.steps[1]["last"](self.steps[0](x))
        return x, x[:, :1]

    def on_epoch_end(self):
        self.order[:40] = np.roll(self.order[:40], 3)


def dense():
    return keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(1)])


@every
def test_the_helper_objects_of_a_data_set_come_back(backup_dir, save_freq):
    def go(*callbacks):
        keras.utils.set_random_seed(1)
        model, data = dense(), Batches()
        model.compile("adam", "mse")
        model.fit(data, epochs=4, shuffle=False, verbose=0, callbacks=list(callbacks))
        return model, data

    never, seen = go()
    with pytest.raises(RuntimeError, match="Interrupting!"):
        go(BackupAndRestore(backup_dir, save_freq=save_freq), Interrupt(2, 3))
    again, found = go(BackupAndRestore(backup_dir, save_freq=save_freq))
    assert_same(values(again), values(never))
    assert found.steps[0].calls == seen.steps[0].calls


@on_torch
@every
def test_the_data_set_and_the_sampler_of_a_loader_come_back(backup_dir, save_freq):
    import torch

    class Noise(torch.utils.data.Dataset):
        def __init__(self):
            self.augment = Augment()

        def __len__(self):
            return 40

        def __getitem__(self, index):
            return self.augment(X[index]), X[index, :1]

    class Turns(torch.utils.data.Sampler):
        def __init__(self):
            self.begin = 0

        def __len__(self):
            return 40

        def __iter__(self):
            self.begin += 7
            return iter([(self.begin + index) % 40 for index in range(40)])

    def go(*callbacks):
        keras.utils.set_random_seed(1)
        model, sampler = dense(), Turns()
        model.compile("adam", "mse")
        data = torch.utils.data.DataLoader(Noise(), batch_size=8, sampler=sampler)
        model.fit(data, epochs=4, shuffle=False, verbose=0, callbacks=list(callbacks))
        return model, sampler

    never, expected = go()
    with pytest.raises(RuntimeError, match="Interrupting!"):
        go(BackupAndRestore(backup_dir, save_freq=save_freq), Interrupt(2, 3))
    again, found = go(BackupAndRestore(backup_dir, save_freq=save_freq))
    assert_same(values(again), values(never))
    assert found.begin == expected.begin


def test_a_list_of_a_data_set_that_is_too_long_and_changes_is_named(backup_dir):
    class Listed(Batches):
        def __init__(self):
            super().__init__()
            self.names = [f"file {index}" for index in range(300_000)]

        def on_epoch_end(self):
            self.names[-1] += "!"

    model = dense()
    model.compile("adam", "mse")
    with pytest.warns(rekindle.InexactWarning, match=r"Listed.names has changed.*262144 items"):
        model.fit(Listed(), epochs=2, verbose=0, callbacks=[BackupAndRestore(backup_dir)])


def test_an_array_of_a_data_set_that_is_too_large_and_changes_is_named(backup_dir):
    model, data = dense(), Batches(9_000_000)
    model.compile("adam", "mse")
    with pytest.warns(rekindle.InexactWarning, match=r"Batches.order has changed.*64 MiB"):
        model.fit(data, epochs=2, verbose=0, callbacks=[BackupAndRestore(backup_dir)])


def test_data_that_a_data_set_holds_in_a_dict_is_not_saved(backup_dir):
    class Holds(Batches):
        def __init__(self):
            super().__init__()
            self.data = {"a": np.zeros(9_000_000), "b": [np.zeros(9)]}

        def on_epoch_end(self):
            self.data["b"][0] += 1

    model = dense()
    model.compile("adam", "mse")
    backup = BackupAndRestore(backup_dir, delete_checkpoint=False)
    model.fit(Holds(), epochs=1, verbose=0, callbacks=[backup])
    assert sum(path.stat().st_size for path in backup_dir.iterdir()) < 1 << 20
