"""Writes a file for another library: the file appears under its name once it is complete."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable

from rekindle._storage.local import fs
from rekindle.errors import ArgumentError, ForeignFileError, SaveError


def check(path: str, ending: str, library: str, *, force: bool) -> None:
    """Checks the name of the file, before any other work.

    Raises:
        ArgumentError: The name does not end as the library requires.
        ForeignFileError: A file of that name exists, and `force` is False.
    """
    if not path.endswith(ending):
        raise ArgumentError(
            f"Invalid value for argument `path`. Received: path={path!r}. Expected a name that"
            f" ends in {ending!r}, as {library} requires.",
            argument="path",
            value=path,
        )
    if not force and fs.exists(path):
        raise _in_the_way(path)


def write(path: str, ending: str, fill: Callable[[str], None], *, force: bool) -> None:
    """Writes the file completely or not at all.

    Args:
        path: The file.
        ending: The end of its name.
        fill: Writes the content to the path that it gets, whose name has the same end.
        force: Whether to replace an existing file.

    Raises:
        ForeignFileError: A file of that name exists, and `force` is False.
        SaveError: The system refused to write.
    """
    folder = os.path.dirname(path)
    temporary = os.path.join(folder, f".rekindle-{uuid.uuid4().hex}{ending}")
    try:
        try:
            fill(temporary)
            fd, _ = fs.open_regular(temporary, os.O_RDWR)
            with fs.closing(fd):
                fs.sync(fd)
            _publish(temporary, path, force=force)
        finally:
            fs.discard(temporary)
    except OSError as error:
        if isinstance(error, SaveError):
            raise
        raise SaveError(
            f"{path!r} could not be written: {error.strerror or error}. If there was a file of"
            " that name, it is unchanged.",
            directory=folder,
            errno=error.errno,
            needed=0,
            free=fs.free_bytes(folder),
        ) from error


def _publish(temporary: str, path: str, *, force: bool) -> None:
    if force:
        fs.rename(temporary, path)
    else:
        try:
            # Unlike a rename, a link does not replace a file that was created meanwhile.
            os.link(temporary, path)
        except FileExistsError:
            raise _in_the_way(path) from None
        except OSError:
            if fs.exists(path):
                raise _in_the_way(path) from None
            fs.rename(temporary, path)
    fs.sync_folder(os.path.dirname(path))


def _in_the_way(path: str) -> ForeignFileError:
    return ForeignFileError(
        f"{path!r} exists already. Nothing was written. Choose another name, or allow its"
        " replacement.",
        path=path,
    )
