"""All that a data source draws from at one moment, and the two moments of an iterator's birth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rekindle._training import random_states
from rekindle._training.data_source import DataSource


@dataclass
class Birth:
    """The moments when an iterator was made, and when it was first read.

    Attributes:
        made: Everything that the source draws from, when the iterator was made.
        read: The same when it was first read.
        dataset: The attributes of the data when it was made, if it lives on in later epochs.
    """

    made: Any = None
    read: Any = None
    dataset: Any = None


def take(source: DataSource) -> dict[str, Any]:
    """The random states of the process, and those that belong to the data."""
    return {
        "process": random_states.take(),
        "loaders": source.generators(),
        "owned": source.owned.take(),
    }


def put(source: DataSource, moment: Mapping[str, Any] | None) -> None:
    """Restores a moment."""
    if moment is None:
        return
    random_states.put(moment["process"])
    source.set_generators(moment["loaders"])
    # An older rekindle did not save it.
    source.owned.put(moment.get("owned", {}))


def rehearsed(source: DataSource, place: Mapping[str, Any]) -> Birth:
    """Restores both once, as a test: this finds broken states before they are needed."""
    now = take(source)
    for moment in (place["made"], place["read"], now):
        put(source, moment)
    return Birth(place["made"], place["read"])


def check(source: DataSource, place: Mapping[str, Any]) -> None:
    """Checks what a position says of the data's own generators.

    Raises:
        BrokenTreeError: They are not states of these generators.
    """
    for moment in (place, place["made"], place["read"]):
        if moment is not None:
            source.owned.check(moment.get("owned", {}))


def follow(source: DataSource, place: Mapping[str, Any], *, is_new: bool) -> list[str]:
    """Leaves out what earlier fit()s of the script have taken of data that comes once.

    Args:
        source: The data.
        place: The saved position.
        is_new: Whether this fit() follows the one that was saved.

    Returns:
        What of the position the data cannot continue, in sentences.
    """
    missing = source.owned.missing(place.get("owned", {}))
    notes = [f"the data has no random generator {path!r} any more" for path in missing]
    earlier = int(place["earlier"]) + bool(is_new and place["live"])
    if source.misses_passes and earlier > source.made_before:
        notes.append(_PASSES)
    supply = place.get("supply")
    if supply is not None:
        states, mark = random_states.take(), random_states.mark()
        # Random numbers for what is left out came from states that no checkpoint has.
        if not source.go_to(supply[is_new]) or random_states.mark() != mark:
            notes.append(
                "an earlier fit() of the script has read batches of the same generator, and they"
                " cannot be left out exactly"
            )
        random_states.put(states)
    return notes


_PASSES = (
    "the data shuffles what it repeats (`shuffle().repeat()`), and how often it did so in iterators"
    " before this one is not known: shuffle after repeat(), or give shuffle()"
    " reshuffle_each_iteration=False"
)


def doubts(source: DataSource, place: Mapping[str, Any]) -> list[str]:
    """What :func:`follow` would say of this position in a new process."""
    return [_PASSES] if source.misses_passes and place["earlier"] else []


class UnseenDraws:
    """Looks for draws while code is read out of sight.

    The data may be R code, or Python code in a pipeline of TensorFlow. Or a callback may have
    drawn: rekindle cannot tell which.
    """

    def __init__(self, source: DataSource) -> None:
        self._source = source
        self._mark: Any = None

    def epoch_begins(self) -> None:
        self._mark = random_states.mark() if self._source.calls_unseen else None

    def have_happened(self, external: Any) -> bool:
        """Whether anything has drawn since the epoch began.

        Args:
            external: The random states of the host language when the epoch began, or ``None``.
        """
        source = self._source
        if external is not None and source.is_elsewhere and source.sees_reads:
            return bool(random_states.take_external() != external)
        return self._mark is not None and bool(random_states.mark() != self._mark)
