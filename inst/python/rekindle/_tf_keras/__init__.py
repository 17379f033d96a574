"""The adapter of Keras 2, that is, of the package tf_keras."""
