"""Structured data: numbers, words and categories of patients, prepared by a FeatureSpace."""

import keras
import numpy as np
import tensorflow as tf
from keras.utils import FeatureSpace

from rekindle.keras import BackupAndRestore

keras.utils.set_random_seed(4)

COUNT = 130
rng = np.random.default_rng(1)
table = {
    "age": rng.integers(20, 80, COUNT).astype("float32"),
    "pressure": rng.normal(120, 15, COUNT).astype("float32"),
    "smokes": rng.choice(["never", "sometimes", "daily"], COUNT),
    "ward": rng.integers(1, 5, COUNT),
}
risk = (table["age"] - 50) / 15 + (table["smokes"] == "daily") + rng.normal(0, 0.5, COUNT)
ill = (risk > 0.3).astype("int32")

space = FeatureSpace(
    {
        "age": FeatureSpace.float_discretized(num_bins=5),
        "pressure": FeatureSpace.float_normalized(),
        "smokes": FeatureSpace.string_categorical(num_oov_indices=0),
        "ward": FeatureSpace.integer_categorical(num_oov_indices=0),
    },
    crosses=[FeatureSpace.cross(("smokes", "ward"), crossing_dim=8)],
    output_mode="concat",
)
everyone = tf.data.Dataset.from_tensor_slices((table, ill))
space.adapt(everyone.map(lambda row, _: row).batch(32))

prepared = everyone.batch(10).map(lambda row, label: (space(row), label))
training = prepared.take(10).shuffle(10).prefetch(2)
validation = prepared.skip(10)

features = space.get_encoded_features()
hidden = keras.layers.Dense(16, activation="relu")(features)
hidden = keras.layers.Dropout(0.4)(hidden)
output = keras.layers.Dense(1, activation="sigmoid")(hidden)
model = keras.Model(features, output)
model.compile(keras.optimizers.AdamW(0.01), "binary_crossentropy", metrics=["accuracy"])

backup = BackupAndRestore("backup", restore_history=True)
history = model.fit(training, validation_data=validation, epochs=6, callbacks=[backup], verbose=0)
predictions = model.predict(validation, verbose=0)
