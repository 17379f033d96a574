"""The state of the other callbacks of a `fit()`. Keras' own callbacks are known by name."""
