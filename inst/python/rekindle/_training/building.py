"""Makes what a checkpoint has and the script has not made yet, before anything is restored."""

from __future__ import annotations

from rekindle._format.snapshot import LoadedCheckpoint
from rekindle._training import refusals
from rekindle._training.extra_state import ExtraState
from rekindle._training.own_state import OwnStates
from rekindle._training.trainer import Trainer


def build(
    directory: str, trainer: Trainer, own: OwnStates, extra: ExtraState, save: LoadedCheckpoint
) -> None:
    """Makes the saved variables of the model and of the user's own objects.

    Raises:
        MismatchError: There are still none for a part of the checkpoint.
        DamageError: The state is not a captured state.
    """
    state = save.manifest.state
    trainer.build(save.manifest)
    with refusals.of_broken_states(directory):
        own.build(state.get("own", {}), save.arrays)
        needs_building = extra.needs_building(state["extra"])
    if needs_building:
        trainer.trace()
    names = trainer.unbuilt(save.manifest)
    if names:
        raise refusals.unbuilt(directory, names)
