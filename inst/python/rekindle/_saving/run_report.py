"""Reports the folders of a run to ``python -m rekindle run``, if that started the run.

The supervisor names a file in the environment. For each folder that the run locks or clears, the
run adds a line of JSON to the end of this file. Nothing depends on the report: without a supervisor
there is no line, and a line that cannot be written is left out.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rekindle._format.manifest import Manifest

# The environment variable; its value is the path of the file.
VARIABLE = "REKINDLE_RUN_REPORT"


@dataclass(frozen=True)
class Place:
    """How far a folder's newest checkpoint is. The fields are those of its manifest."""

    name: str
    serial: int
    step: int | None
    epoch: int | None
    batch: int | None

    @staticmethod
    def of(prefix: str, manifest: Manifest) -> Place:
        at = manifest.position
        name = f"{prefix}-{manifest.number}"
        return Place(name, manifest.serial, at.step, at.epoch, at.batch)

    def is_beyond(self, other: Place | None) -> bool:
        """Whether this place is further than the other.

        If both places have steps, the steps decide: a run that starts afresh each time saves, too,
        but makes no progress. Else epochs and batches decide. If a place has no epoch either, the
        order of saving decides.
        """
        if other is None:
            return True
        if self.step is not None and other.step is not None:
            return self.step > other.step
        if self.epoch is not None and other.epoch is not None:
            return (self.epoch, self.batch or 0) > (other.epoch, other.batch or 0)
        return self.serial > other.serial

    def in_words(self) -> str:
        if self.step is not None:
            return f"{self.name}, step {self.step}"
        return self.name if self.epoch is None else f"{self.name}, epoch {self.epoch}"


@dataclass(frozen=True)
class Event:
    """A run locked a folder with this newest checkpoint, or cleared it at the end of training."""

    directory: str
    prefix: str
    cleared: bool
    place: Place | None = None


def opened(directory: str, prefix: str, manifests: Iterable[Manifest]) -> None:
    """Reports that a run has locked the folder, with these checkpoints in it, newest last."""
    if os.environ.get(VARIABLE):
        places = [Place.of(prefix, manifest) for manifest in manifests]
        _tell(
            {"opened": directory, "prefix": prefix, "place": vars(places[-1]) if places else None}
        )


def cleared(directory: str, prefix: str) -> None:
    """Reports that a run has removed its checkpoints, because its training is complete."""
    if os.environ.get(VARIABLE):
        _tell({"cleared": directory, "prefix": prefix})


def _tell(fact: Mapping[str, Any]) -> None:
    # Never create the file: the variable may be left over from a supervisor that has ended. It must
    # then leave no file behind.
    flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    with contextlib.suppress(OSError):
        file = os.open(os.environ[VARIABLE], flags)
        try:
            os.write(file, json.dumps(fact).encode("ascii") + b"\n")
        finally:
            os.close(file)


def events(text: str) -> list[Event]:
    """The events in such a file. Lines that are not whole, or not rekindle's, are skipped."""
    found = []
    for line in text.splitlines():
        try:
            fact = json.loads(line)
            is_cleared = "cleared" in fact
            place = None if is_cleared or fact["place"] is None else Place(**fact["place"])
            directory = str(fact["cleared" if is_cleared else "opened"])
            found.append(Event(directory, str(fact["prefix"]), is_cleared, place))
        except (ValueError, TypeError, KeyError):
            continue
    return found
