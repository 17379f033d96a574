"""A forecast: windows of two sensors, a GRU, and the best weights in a file."""

import keras
import numpy as np

from rekindle.keras import BackupAndRestore

keras.utils.set_random_seed(30)

rng = np.random.default_rng(2)
hours = np.arange(400)
heat = np.sin(hours / 12) + 0.3 * np.sin(hours / 50) + rng.normal(0, 0.1, 400)
wind = np.cos(hours / 20) + rng.normal(0, 0.2, 400)
readings = np.stack([heat, wind], axis=-1).astype("float32")


def windows(first, last, **more):
    return keras.utils.timeseries_dataset_from_array(
        readings[first : last - 8],
        heat[first + 16 : last],
        sequence_length=8,
        sampling_rate=2,
        batch_size=20,
        **more,
    )


training, validation = windows(0, 300, shuffle=True, seed=6), windows(300, 400)

inputs = keras.Input((8, 2))
hidden = keras.layers.GRU(8, recurrent_dropout=0.1, return_sequences=True)(inputs)
hidden = keras.layers.GaussianNoise(0.05)(hidden)
hidden = keras.layers.GRU(6)(hidden)
model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])

backup = BackupAndRestore("backup", save_freq=7, double_checkpoint=True, restore_history=True)
best = keras.callbacks.ModelCheckpoint(
    "best.weights.h5", monitor="val_loss", save_weights_only=True, save_best_only=True
)
stop = keras.callbacks.EarlyStopping("val_loss", patience=2, min_delta=0.01)
history = model.fit(
    training,
    validation_data=validation,
    epochs=5,
    callbacks=[best, stop, backup],
    verbose=0,
)
model.load_weights("best.weights.h5")
score = model.evaluate(validation, verbose=0)
