"""The adapter of Keras 3: the only code, beside `keras.py`, that imports Keras."""
