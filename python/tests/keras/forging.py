"""Forged checkpoints, and a fit() that ends early and leaves a checkpoint to forge."""

from __future__ import annotations

import keras

from faults.forge import forge

__all__ = ["Stop", "forge"]


class Stop(keras.callbacks.Callback):
    """Ends a fit() at the beginning of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.at = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.at:
            raise RuntimeError("Interrupting!")
