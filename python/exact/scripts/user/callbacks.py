"""A learning rate that changes in three ways, and the callbacks that many scripts have."""

import keras
import numpy as np

from rekindle.keras import BackupAndRestore

keras.utils.set_random_seed(11)

rng = np.random.default_rng(3)
x = rng.normal(0, 1, (160, 6)).astype("float32")
y = (np.sin(2 * x[:, :1]) + x[:, 1:2] + rng.normal(0, 0.2, (160, 1))).astype("float32")


class Smoothed(keras.callbacks.Callback):
    """Keeps a moving average of the loss, and the learning rate of each epoch."""

    def __init__(self):
        super().__init__()
        self.average, self.rates = None, []

    def on_train_batch_end(self, batch, logs=None):
        old = logs["loss"] if self.average is None else self.average
        self.average = 0.9 * old + 0.1 * logs["loss"]

    def on_epoch_end(self, epoch, logs=None):
        self.rates.append(float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)))
        logs["smoothed"] = self.average


def warm_up(epoch, rate):
    return 0.002 * (epoch + 1) if epoch < 3 else rate


model = keras.Sequential(
    [
        keras.layers.Dense(16, activation="tanh"),
        keras.layers.Dropout(0.1),
        keras.layers.Dense(1),
    ]
)
optimizer = keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9, clipnorm=1.0)
model.compile(optimizer, "mse", metrics=["mae"])

smoothed = Smoothed()
callbacks = [
    keras.callbacks.LearningRateScheduler(warm_up),
    keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_delta=0.02),
    keras.callbacks.EarlyStopping("val_loss", patience=3, restore_best_weights=True),
    keras.callbacks.ModelCheckpoint("epoch-{epoch:02d}.weights.h5", save_weights_only=True),
    keras.callbacks.TerminateOnNaN(),
    smoothed,
    keras.callbacks.CSVLogger("log.csv"),
    BackupAndRestore("backup", save_freq=9, restore_history=True),
]
data = {"x": x[:120], "y": y[:120], "validation_data": (x[120:], y[120:])}
history = model.fit(**data, epochs=9, batch_size=12, callbacks=callbacks, verbose=0)
rates = smoothed.rates
