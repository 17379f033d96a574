"""The adapter of Synalinks. Only it and :mod:`rekindle.synalinks` import Synalinks."""
