"""Where in the epochs a fit() continues, once its checkpoint is restored."""

from __future__ import annotations

from rekindle._format.manifest import Manifest, Position
from rekindle._training import stages
from rekindle._training.state import FitState
from rekindle._training.trainer import Trainer


def find(state: FitState, trainer: Trainer, manifest: Manifest) -> int | None:
    """The epoch, counted from 0, at which the fit() continues. Sets the position of the state.

    Args:
        state: The restored state.
        trainer: The trainer of the fit().
        manifest: The manifest of the checkpoint.
    """
    position, epoch = manifest.position, manifest.position.epoch
    if position.batch and (state.data is None or not trainer.can_replay):
        state.notes.append(
            f"rekindle could not find the position in the data, so epoch {position.epoch}"
            f" (counted from 0) starts again, and its first {position.batch} batches are"
            " trained on twice"
        )
        state.position = Position(position.step, position.epoch, 0)
        state.is_changed = True
    if trainer.stop_training and not position.batch:
        began = stages.began(manifest)
        epoch, trainer.stop_training = stages.after_stop(epoch or 0, began, trainer.fit)
        state.position = Position(position.step, epoch, 0)
    return epoch
