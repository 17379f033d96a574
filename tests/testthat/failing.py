"""What makes a fit() fail, in the ways that are Python's; for test-let-go.R."""

import keras
import numpy as np


class Fails(keras.callbacks.Callback):
    def __init__(self, error, hook):
        super().__init__()
        self.error = error
        setattr(self, hook, self.fail)

    def fail(self, *args, **kwargs):
        if self.model.optimizer.iterations >= 3:
            raise self.error


class Data(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index == 3:
            raise OSError("the disk is gone")
        return np.ones((2, 1)), np.ones((2, 1))


class Model(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def call(self, x):
        return self.dense(x)


class OutOfMemory(Model):
    def train_step(self, *args, **kwargs):
        raise MemoryError("RESOURCE_EXHAUSTED: out of memory")


def compiled(model):
    model.compile("sgd", "mse")
    return model


def fit(model, callbacks, data=None):
    x = np.ones((8, 1))
    given = {"x": x, "y": x, "batch_size": 2} if data is None else {"x": data}
    return model.fit(**given, epochs=2, verbose=0, validation_data=(x, x), callbacks=callbacks)
