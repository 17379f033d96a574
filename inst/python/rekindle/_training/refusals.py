"""The errors of a checkpoint that cannot be restored into this fit(), worded for people."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rekindle.errors import BrokenTreeError, DamageError, MismatchError, RekindleError, bulleted


def unreadable(directory: str, error: Exception) -> DamageError:
    """The state is not that of these objects; `error` is what reading it raised."""
    # The name of rekindle's own class says nothing to a user.
    reason = (str(error) if isinstance(error, BrokenTreeError) else repr(error))[:500]
    return DamageError(
        f"The newest checkpoint in {directory!r} cannot be restored: {reason.removesuffix('.')}."
        " The callbacks, the data or `extra_state` are not those that were saved, or rekindle did"
        " not write the checkpoint. To start training afresh on purpose, rename or remove that"
        " folder.",
        directory=directory,
        damages=[reason],
    )


@contextlib.contextmanager
def of_broken_states(directory: str) -> Iterator[None]:
    """Turns an error on an invalid state into a DamageError."""
    try:
        yield
    except RekindleError:
        raise
    # The state may be made up, and is loaded into Keras, a backend and callbacks of any origin.
    # There is no list of the exceptions that these may raise.
    except Exception as error:
        raise unreadable(directory, error) from error


def unbuilt(directory: str, names: list[str]) -> MismatchError:
    """The model does not have these saved variables yet."""
    lines = [f"{name}: expected to be built, found no such variable yet" for name in names]
    return MismatchError(
        f"The model has no variables yet for a part of the backup in {directory!r}. Nothing was"
        f" changed.\n{bulleted(lines)}Build them before fit(): a model or a layer by calling it on"
        " a batch of data or with an Input layer, an optimizer by `optimizer.build(variables)`.",
        differences=lines,
    )


def no_fit(directory: str) -> MismatchError:
    """The checkpoint is that of a manager."""
    return MismatchError(
        f"The checkpoints in {directory!r} are not of a fit(): they name no epoch.",
        differences=["position: expected an epoch to resume at, found none"],
    )
