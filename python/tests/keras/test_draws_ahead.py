"""Data in Python that TensorFlow reads, and the random numbers that reading it draws."""

from __future__ import annotations

import random

import keras
import numpy as np
import pytest
from never_and_again import X, on_tensorflow
from small_fit import Interrupt

from rekindle.keras import BackupAndRestore


class Batches(keras.utils.PyDataset):
    def __init__(self, draw):
        super().__init__()
        self.draw, self.own = draw, np.random.default_rng(1)

    def __len__(self):
        return 5

    def __getitem__(self, index):
        x = X[index * 8 :][:8] + self.draw(self)
        return x, x[:, :1]


def notes(draw, backup_dir):
    """What a fit() says that resumes in its second epoch."""
    for interrupt in ([Interrupt(1, 3)], []):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        backup = BackupAndRestore(backup_dir, save_freq=2)
        try:
            model.fit(Batches(draw), epochs=2, verbose=0, callbacks=[backup, *interrupt])
        except RuntimeError:
            continue
    return backup.resume_report["notes"]


@on_tensorflow
@pytest.mark.parametrize(
    "draw",
    [
        lambda _: 0.0,
        lambda data: data.own.normal(),
        lambda _: np.random.normal(),
        lambda _: random.random(),
    ],
)
def test_draws_of_the_data_and_the_shuffle_of_keras_need_no_warning(backup_dir, draw):
    assert notes(draw, backup_dir) == []
