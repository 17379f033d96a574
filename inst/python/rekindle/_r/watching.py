"""Watches a run for R, which sleeps between two looks itself: so an interrupt in R ends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rekindle._inspection import words
from rekindle._inspection.moment import Now
from rekindle._inspection.now import Watcher
from rekindle._inspection.pages import files, live


class Watching:
    """A watcher, and the page that it writes.

    Args:
        directory: The folder.
        page: The file of the page, or ``None``.
        every: Seconds between two looks.
        storage_options: Settings of an object store.
    """

    def __init__(
        self,
        directory: str,
        page: str | None,
        every: float,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._watcher = Watcher(directory, storage_options=storage_options)
        self._page = None if page is None else files.Page(page, directory)
        self._every = every
        self._last: Now | None = None

    def look(self) -> dict[str, Any]:
        """The `state`, the `parts` of the line, and how the run has ended, if it has."""
        now = self._last = self._watcher.look()
        if self._page is not None:
            self._page.write(live.html(now, self._every))
        ending = words.ending(now) if now.is_over else None
        return {"state": now.state, "parts": words.parts(now), "ending": ending}

    def leave(self) -> None:
        """The page says that the run is not watched any more."""
        if self._page is not None and self._last is not None and not self._last.is_over:
            self._page.write(live.html(self._last, None))
