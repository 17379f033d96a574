"""Writes a page into a file: whole or not at all, never over a file that is not a page."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Any

from rekindle._base import checks, places
from rekindle._inspection.pages import frame
from rekindle.errors import ArgumentError, ForeignFileError, SaveError


class Page:
    """The file of a page.

    Args:
        path: The file. Its name ends in ``.html``.
        backup: The backup folder, in which no page may be.

    Raises:
        ArgumentError: The file is in the backup folder, or has another ending.
        ForeignFileError: There is a file of this name that is not a page of rekindle.
    """

    def __init__(self, path: Any, backup: Any) -> None:
        given = checks.path("file", path, "the path of a file that ends in '.html'")
        self.path = os.path.abspath(given)
        if not self.path.lower().endswith((".html", ".htm")):
            raise checks.invalid("file", path, "the path of a file that ends in '.html'")
        folder = places.real(checks.place("directory", backup))
        if (os.path.realpath(os.path.dirname(self.path)) + os.sep).startswith(folder + os.sep):
            raise ArgumentError(
                f"The page {self.path!r} would be in the backup folder {folder!r}, which belongs to"
                " the run alone. Give a path outside of it.",
                argument="file",
                value=path,
            )
        self._refuse_foreign()

    def write(self, text: str) -> None:
        """Writes the page, in place of the page before.

        Raises:
            SaveError: The system refused. The page before is still there.
            ForeignFileError: There is another file of this name by now.
        """
        self._refuse_foreign()
        # A browser that reads at this moment finds the page before, or this one, and no half.
        temporary = f"{self.path}.{os.getpid()}.tmp"
        data = text.encode("utf-8", "backslashreplace")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
            with contextlib.suppress(FileNotFoundError):
                os.remove(temporary)
            with open(os.open(temporary, flags, 0o666), "wb") as file:
                file.write(data)
            os.replace(temporary, self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.remove(temporary)
            raise SaveError(
                f"The page {self.path!r} cannot be written: {error.strerror or error}.",
                directory=os.path.dirname(self.path),
                errno=error.errno,
                needed=len(data),
            ) from error

    def _refuse_foreign(self) -> None:
        begins = frame.MARK.encode()
        try:
            if stat.S_ISREG(os.lstat(self.path).st_mode):
                with open(self.path, "rb") as file:
                    if file.read(len(begins)) == begins:
                        return
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError:
            # A file that cannot be read is not known to be a page.
            pass
        raise ForeignFileError(
            f"There is already a file {self.path!r}, and rekindle did not write it. Nothing was"
            " changed. Remove it, or choose another name.",
            path=self.path,
        )
