"""Knowledge distillation: a small student learns from a trained teacher."""

import keras
import numpy as np
from keras import layers, ops

from rekindle.keras import BackupAndRestore

keras.utils.set_random_seed(6)

rng = np.random.default_rng(13)
x = rng.normal(0, 1, (150, 8)).astype("float32")
y = np.argmax(x[:, :3] * x[:, 3:6] + rng.normal(0, 0.2, (150, 3)), axis=-1)


class Distiller(keras.Model):
    def __init__(self, teacher, student):
        super().__init__()
        self.teacher, self.student = teacher, student
        self.near = keras.metrics.Mean(name="distillation")

    def compile(self, temperature, **kwargs):
        super().compile(**kwargs)
        self.temperature = temperature

    def call(self, x):
        return self.student(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        own = super().compute_loss(x, y, y_pred, sample_weight, training)
        wanted = ops.softmax(self.teacher(x, training=False) / self.temperature)
        given = ops.softmax(y_pred / self.temperature)
        apart = ops.mean(keras.losses.kl_divergence(wanted, given))
        self.near.update_state(apart)
        return 0.3 * own + 0.7 * self.temperature**2 * apart


def network(width):
    return keras.Sequential(
        [keras.Input((8,)), layers.Dense(width, "relu"), layers.Dropout(0.2), layers.Dense(3)]
    )


how = {"loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}
teacher = network(32)
teacher.compile("adam", metrics=["accuracy"], **how)
first = BackupAndRestore("backup-teacher", delete_checkpoint=False, restore_history=True)
taught = teacher.fit(x, y, epochs=4, batch_size=15, callbacks=[first], verbose=0)

teacher.trainable = False
model = Distiller(teacher, network(6))
model.compile(temperature=3.0, optimizer="adam", metrics=["accuracy"], **how)
backup = BackupAndRestore("backup-student", save_freq=4, restore_history=True)
history = model.fit(
    x, y, epochs=4, batch_size=15, validation_split=0.2, callbacks=[backup], verbose=0
)
