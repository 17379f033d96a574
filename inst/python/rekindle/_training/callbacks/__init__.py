"""The state of the other callbacks of a `fit()`. Those of Keras are known by name."""
