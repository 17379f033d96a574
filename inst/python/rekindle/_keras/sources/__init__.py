"""The data of a `fit()`: a class for each kind, and how Keras reads it with each backend."""
