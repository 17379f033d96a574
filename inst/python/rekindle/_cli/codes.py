"""The exit codes. They are the same for all commands, so that a script can rely on them."""

from __future__ import annotations

from collections.abc import Iterable

from rekindle import errors

WHOLE = 0
FAILED = 1
USAGE = 2
NO_SAVE = 3
DAMAGED = 4
LOST = 5
MISMATCH = 6
IN_THE_WAY = 7

HELP = f"""\
exit codes:
  {WHOLE}  there are saves, and all are whole; whether a run holds the folder makes no difference
  {FAILED}  the system refused to read or to write, or something else failed
  {USAGE}  the command was not understood
  {NO_SAVE}  there is no save: no such folder, an empty one, or one of other files only
  {DAMAGED}  a save is damaged, and another one is whole
  {LOST}  there are saves, and none of them is whole
  {MISMATCH}  the save is not of this model, or has no history
  {IN_THE_WAY}  a file of that name is there already

info reads manifests, and sizes and headers of packs; verify reads every byte. Neither takes the
folder's lock, so both can be used while a run goes on.
"""

_OF_STATES = {
    "whole": WHOLE,
    "damaged": DAMAGED,
    "lost": LOST,
    "foreign": NO_SAVE,
    "empty": NO_SAVE,
    "missing": NO_SAVE,
}


def of_state(state: str) -> int:
    """The code for a folder's state, as :func:`rekindle.inspection.info` names it."""
    return _OF_STATES[state]


def of_damages(damages: Iterable[str | None]) -> int:
    """The code for checkpoints with this damage; ``None`` stands for a whole checkpoint."""
    whole = [damage is None for damage in damages]
    if not whole:
        return NO_SAVE
    return WHOLE if all(whole) else DAMAGED if any(whole) else LOST


def of_error(error: errors.RekindleError) -> int:
    """The code for an error, by its class."""
    for kind, code in (
        (errors.ArgumentError, USAGE),
        (errors.MismatchError, MISMATCH),
        (errors.ForeignFileError, IN_THE_WAY),
        (errors.DamageError, LOST),
    ):
        if isinstance(error, kind):
            return code
    return FAILED
