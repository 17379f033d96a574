"""The errors of the system, worded as messages for people."""

from __future__ import annotations

import errno

from rekindle.errors import RestoreError, SaveError


def reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def not_restored(what: str, directory: str, error: BaseException) -> RestoreError:
    return RestoreError(
        f"{what}: {reason(error)}. Nothing was changed.", directory=directory, errno=_errno(error)
    )


def not_removed(directory: str, error: OSError) -> str:
    return (
        f"rekindle could not remove older files in {directory!r}: {reason(error)}. No checkpoint"
        " was lost. rekindle tries again at the next save."
    )


def quarantined(done: str | OSError) -> str:
    """The result of a quarantine: the new name, or the error that prevented it."""
    if isinstance(done, OSError):
        return f"It could not be quarantined ({reason(done)})"
    return f"It was quarantined as {done!r}"


# The text by whether a whole checkpoint exists, as far as sizes and headers show.
_STANDS = {
    True: "The previous checkpoint is still there.",
    False: "There is no previous checkpoint.",
    None: "rekindle could not check whether a previous checkpoint is still there.",
}


def not_saved(
    directory: str, error: BaseException, needed: int, free: int | None, *, stands: bool | None
) -> SaveError:
    """The error that reports a failed save.

    Args:
        directory: The folder.
        error: The cause of the failure.
        needed: Bytes that the save needed; 0 if that is not known yet.
        free: Bytes that are free; ``None`` if that is unknown.
        stands: Whether an earlier checkpoint exists; ``None`` if rekindle could not check that.
    """
    room = "" if free is None else f", {_size(free)} are free"
    # Before a save knows its size, the size is 0, and not the cause of the failure.
    space = f" ({_size(needed)} needed{room})" if needed else ""
    return SaveError(
        f"A checkpoint could not be written to {directory!r}: {reason(error)}{space}."
        f" {_STANDS[stands]}",
        directory=directory,
        errno=_errno(error),
        needed=needed,
        free=free,
    )


def _errno(error: BaseException) -> int | None:
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    return error.errno if isinstance(error, OSError) else None


def _size(count: int) -> str:
    if count < 10_000:
        return f"{count} bytes"
    return f"{count / 1e6:,.2f} MB" if count < 1e9 else f"{count / 1e9:,.2f} GB"
