"""Text: sentences become numbers, and a bidirectional LSTM says whether they praise."""

import random

import keras
import tensorflow as tf
from keras import layers

from rekindle.keras import BackupAndRestore

keras.utils.set_random_seed(3)
tf.random.set_seed(3)

GOOD = ["great", "lovely", "moving", "clever", "warm"]
BAD = ["dull", "cold", "slow", "loud", "empty"]
REST = ["the", "plot", "music", "was", "and", "very", "acting", "quite", "ending", "a"]


def review(is_good):
    words = random.choices(REST, k=random.randint(4, 9))
    words += random.choices(GOOD if is_good else BAD, k=2)
    random.shuffle(words)
    return " ".join(words)


labels = [random.randint(0, 1) for _ in range(112)]
reviews = [review(one) for one in labels]

vectorize = layers.TextVectorization(max_tokens=40, output_sequence_length=12)
vectorize.adapt(reviews)


def dataset(first, last):
    pairs = tf.data.Dataset.from_tensor_slices((reviews[first:last], labels[first:last]))
    return pairs.map(lambda text, label: (vectorize(text), label)).cache()


training = dataset(0, 96).shuffle(96, seed=8).batch(8).prefetch(tf.data.AUTOTUNE)
validation = dataset(96, 112).batch(8)

model = keras.Sequential(
    [
        keras.Input((None,), dtype="int64"),
        layers.Embedding(40, 8, mask_zero=True),
        layers.Dropout(0.3),
        layers.Bidirectional(layers.LSTM(6, dropout=0.1)),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])

backup = BackupAndRestore("backup", save_freq=5, restore_history=True)
history = model.fit(training, validation_data=validation, epochs=4, callbacks=[backup], verbose=0)
score = model.evaluate(validation, verbose=0)
