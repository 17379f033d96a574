"""The state of the user's own objects in a fit(): other callbacks, and `extra_state`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rekindle._codec import tags
from rekindle._codec.restore import Restore
from rekindle._format.snapshot import LoadedCheckpoint
from rekindle._training.callbacks.states import CallbackStates
from rekindle._training.extra_state import ExtraState

Puts = list[Callable[[], Any]]


def load(
    directory: str, callbacks: CallbackStates, extra: ExtraState, save: LoadedCheckpoint
) -> tuple[Puts, list[str]]:
    """Checks both, then loads the states that objects may refuse.

    Returns:
        Functions that restore all else; and a sentence for each state that is not used, or is not
        there.

    Raises:
        BrokenTreeError: They are not captured states of these objects. Nothing was changed.
        MismatchError: An object refused its state. Nothing was changed.
    """
    state, restore = save.manifest.state, Restore(save.arrays, live_only=True)
    puts, notes = callbacks.read(state["callbacks"], restore)
    puts += extra.read(state["extra"], restore)
    restore.states.put(f"The newest checkpoint in {directory!r}")
    return puts, notes + extra.notes(state["extra"])


def version(state: Mapping[str, Any]) -> int:
    """The lowest version of a state whose readers restore all of it, or refuse it."""
    own = state.get("own")
    parts = [state["extra"], own, (state["data"] or {}).get("dataset")]
    for callback in state["callbacks"].values():
        parts += [callback.get("object"), callback.get("attributes")]
    # A reader of the first version would go on without the own state, and not say so.
    return max(2 if own else 1, tags.version(parts, of_fit=True))
