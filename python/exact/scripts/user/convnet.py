"""Images: a small convnet with augmentation layers. Tells blobs from rings."""

import keras
import numpy as np
from keras import layers

from rekindle.keras import BackupAndRestore

keras.utils.set_random_seed(12)

SIDE = 12
rng = np.random.default_rng(0)
rows, columns = np.mgrid[:SIDE, :SIDE]


def picture(is_ring):
    center = rng.uniform(4, 8, size=2)
    far = np.hypot(rows - center[0], columns - center[1])
    shape = np.abs(far - 3) < 1 if is_ring else far < 3
    return 255 * np.clip(shape + rng.normal(0, 0.3, shape.shape), 0, 1)


labels = rng.integers(0, 2, 120)
images = np.stack([picture(one) for one in labels])[..., None].astype("float32")

model = keras.Sequential(
    [
        keras.Input((SIDE, SIDE, 1)),
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.1),
        layers.Rescaling(1 / 255),
        layers.Conv2D(8, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Conv2D(8, 3, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.25),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile("adam", "binary_crossentropy", metrics=["accuracy", keras.metrics.AUC(name="auc")])

backup = BackupAndRestore("backup", restore_history=True)
history = model.fit(
    images,
    labels,
    batch_size=16,
    epochs=5,
    validation_split=0.2,
    callbacks=[backup, keras.callbacks.CSVLogger("log.csv")],
    verbose=0,
)
predictions = model.predict(images[:10], verbose=0)
