"""Metric learning: triplets that the data draws itself, and a loss on distances."""

import keras
import numpy as np
from keras import layers, ops

from rekindle.keras import BackupAndRestore

keras.utils.set_random_seed(14)

rng = np.random.default_rng(8)
CLASSES = 4
centers = rng.normal(0, 1, (CLASSES, 10))
labels = np.repeat(np.arange(CLASSES), 25)
samples = (centers[labels] + rng.normal(0, 0.7, (len(labels), 10))).astype("float32")


class Triplets(keras.utils.PyDataset):
    """Anchors, others of their class and others of another class, new ones at each epoch."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.rng = np.random.default_rng(5)
        self.on_epoch_end()

    def on_epoch_end(self):
        self.anchors = self.rng.permutation(len(samples))

    def __len__(self):
        return 10

    def __getitem__(self, index):
        anchors = self.anchors[index * 10 : (index + 1) * 10]
        positives = [self.rng.choice(np.flatnonzero(labels == labels[i])) for i in anchors]
        negatives = [self.rng.choice(np.flatnonzero(labels != labels[i])) for i in anchors]
        return (np.stack([samples[anchors], samples[positives], samples[negatives]], axis=1),)


class Embedding(keras.Model):
    def __init__(self):
        super().__init__()
        self.tower = keras.Sequential(
            [
                keras.Input((None, 10)),
                layers.Dense(16, activation="relu"),
                layers.Dropout(0.1),
                layers.Dense(4),
            ]
        )
        self.hits = keras.metrics.Mean(name="hits")

    def call(self, x):
        return ops.normalize(self.tower(x), axis=-1)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        anchor, positive, negative = y_pred[:, 0], y_pred[:, 1], y_pred[:, 2]
        near = ops.sum(ops.square(anchor - positive), axis=-1)
        far = ops.sum(ops.square(anchor - negative), axis=-1)
        self.hits.update_state(near < far)
        return ops.mean(ops.relu(near - far + 0.5))


model = Embedding()
model.compile(keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True))

backup = BackupAndRestore("backup", save_freq=4, restore_history=True)
history = model.fit(Triplets(), epochs=4, callbacks=[backup], verbose=0)
embedded = model.predict(samples[:5, None], verbose=0)
