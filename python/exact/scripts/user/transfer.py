"""Transfer learning: a frozen base and a new head, then everything at a low learning rate."""

import keras
import numpy as np
from keras import layers

from rekindle.keras import BackupAndRestore

keras.utils.set_random_seed(17)

rng = np.random.default_rng(6)
old_x = rng.normal(0, 1, (160, 8, 8, 1)).astype("float32")
old_y = (old_x[:, :4].mean(axis=(1, 2, 3)) > old_x[:, 4:].mean(axis=(1, 2, 3))).astype("int32")
new_x = rng.normal(0, 1, (90, 8, 8, 1)).astype("float32")
new_y = (new_x[:, :, :4].mean(axis=(1, 2, 3)) > 0).astype("int32")

base = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.Conv2D(6, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.Conv2D(6, 3, activation="relu"),
        layers.GlobalAveragePooling2D(),
    ]
)
pretrained = keras.Sequential([base, layers.Dense(1, activation="sigmoid")])
pretrained.compile("adam", "binary_crossentropy")
first = BackupAndRestore("backup/pretrained", save_freq=8, delete_checkpoint=False)
pretrained.fit(old_x, old_y, epochs=3, batch_size=16, callbacks=[first], verbose=0)

HEAD, ALL = 3, 6
base.trainable = False
inputs = keras.Input((8, 8, 1))
hidden = layers.RandomFlip()(inputs)
hidden = layers.Dropout(0.2)(base(hidden, training=False))
model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(hidden))
data = {"x": new_x, "y": new_y, "batch_size": 9, "validation_split": 0.2, "verbose": 0}
backup = BackupAndRestore("backup/new", restore_history=True)

model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
model.fit(**data, epochs=HEAD, callbacks=[backup])

base.trainable = True
model.compile(keras.optimizers.Adam(0.0001), "binary_crossentropy", metrics=["accuracy"])
history = model.fit(**data, initial_epoch=HEAD, epochs=ALL, callbacks=[backup])
