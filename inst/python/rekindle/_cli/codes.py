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
  {WHOLE}  there are checkpoints, and all are whole, whether or not a run has locked the folder
  {FAILED}  the system refused to read or to write, or another error occurred
  {USAGE}  the command line is invalid
  {NO_SAVE}  there is no checkpoint: the folder is missing or empty, or has other files only
  {DAMAGED}  a checkpoint is damaged, and another one is whole
  {LOST}  there are checkpoints, and none of them is whole
  {MISMATCH}  the checkpoint is of another model, of no program, or has no history
  {IN_THE_WAY}  a file of that name exists already

info reads manifests, and sizes and headers of packs; verify reads every byte. Neither takes the
folder's lock, so you can use both while a run goes on.
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
