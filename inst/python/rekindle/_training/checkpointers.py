"""Chooses how the checkpoints of a fit() are written: by this process alone, or for a team."""

from __future__ import annotations

from rekindle._format import layout
from rekindle._saving.checkpointer import Checkpointer
from rekindle._training.options import FitOptions
from rekindle._training.saves import Saves
from rekindle._training.state import FitState
from rekindle._training.team_checkpointer import TeamCheckpointer


def of_fit(state: FitState, settings: FitOptions) -> tuple[Checkpointer, Saves]:
    """The checkpointer of a fit(), and its saves. Neither locks the folder yet."""
    folder, rules, background = settings.directory, settings.retention, settings.background
    options = settings.storage_options
    given = (settings.on_save_error, settings.verbose, rules.metric)
    team = state.trainer.team
    if team is None:
        alone = Checkpointer(state, folder, layout.PREFIX, rules, background, options)
        return alone, Saves(alone, *given)
    raises = settings.on_save_error == "raise"
    shared = TeamCheckpointer(
        team, state, folder, layout.PREFIX, rules, background, raises, options
    )
    return shared, Saves(shared, *given, shared.agreed)
