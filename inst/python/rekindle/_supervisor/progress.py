"""The progress of a command's backup: finds its folders, and reads how far they are."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable

from rekindle._base import places
from rekindle._repository import reader
from rekindle._saving import run_report
from rekindle._saving.run_report import Place
from rekindle._storage.resolve import resolve
from rekindle.errors import RekindleError


class Progress:
    """The folders of a command, and the furthest place that each ever reached.

    Args:
        directories: Folders that the caller named. The command itself reports those that it locks.

    Attributes:
        report: The file for the reports of the command.
        is_complete: Whether, at the last check, all was removed because training was complete.
        newest: The furthest checkpoint that was seen to be new, or ``None``.
        newest_in: The folder of this checkpoint.
    """

    def __init__(self, directories: Iterable[str]) -> None:
        self._named = {places.real(directory) for directory in directories}
        self._best: dict[tuple[str, str], Place | None] = {}
        self._read = 0
        self._home = tempfile.TemporaryDirectory(prefix="rekindle-run-")
        self.report = os.path.join(self._home.name, "report")
        with open(self.report, "x", encoding="utf-8"):
            pass
        self.is_complete = False
        self.newest: Place | None = None
        self.newest_in: str | None = None
        self.look()

    @property
    def variables(self) -> dict[str, str]:
        """The variables for the command's environment."""
        return {run_report.VARIABLE: self.report}

    @property
    def directories(self) -> list[str]:
        """The folders known so far."""
        return sorted(self._named | {directory for directory, _ in self._best})

    def look(self) -> bool:
        """Reads the folders. Returns whether one is further than it ever was before."""
        was_cleared = self._take_in(self._new_events())
        found = {
            (directory, prefix): place
            for directory in self.directories
            for prefix, place in _places(directory).items()
        }
        moved = [key for key, place in found.items() if place.is_beyond(self._best.get(key))]
        for key in moved:
            self._best[key] = found[key]
            self.newest, self.newest_in = found[key], key[0]
        self.is_complete = was_cleared and not found
        return bool(moved)

    def _take_in(self, events: list[run_report.Event]) -> bool:
        """Notes the command's reports. Returns whether the last one says that it is complete."""
        for event in events:
            key = (places.real(event.directory), event.prefix)
            if event.cleared:
                # Later checkpoints are of another training, which begins at its own beginning.
                self._best[key] = None
            elif event.place is not None and event.place.is_beyond(self._best.get(key)):
                # If the caller did not name the folder, its old checkpoints are no progress.
                self._best[key] = event.place
            else:
                self._best.setdefault(key, None)
        return bool(events) and events[-1].cleared

    def _new_events(self) -> list[run_report.Event]:
        try:
            with open(self.report, "rb") as file:
                file.seek(self._read)
                data = file.read()
        except OSError:
            return []
        self._read += len(data)
        return run_report.events(data.decode("ascii", "replace"))

    def close(self) -> None:
        self._home.cleanup()


def _places(directory: str) -> dict[str, Place]:
    """The newest checkpoint of each name; empty if the folder cannot be read now."""
    try:
        catalogs = reader.catalogs(resolve(directory))
    except RekindleError:
        return {}
    return {
        prefix: Place.of(prefix, catalog.in_order()[-1])
        for prefix, catalog in catalogs.items()
        if catalog.in_order()
    }
