"""The record of a manager in each checkpoint. The next manager reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rekindle._format.manifest import Manifest
from rekindle._policy.retention import Best, Entry, Retention
from rekindle.errors import DamageError, FormatError

_RECORD = "manager"
_METADATA = "metadata"
_EVIDENCE = "evidence"

# The version of a state and of the arrays that belong to it: what they mean. The format,
# which the manifest names, says how they are stored. A checkpoint without a version has the first.
# A checkpoint has the lowest version that reads it right: 2 if a fit() has state of its own; 3 with
# kinds of values that `_codec/tags.py` counts to it.
STATE_VERSION = 3
_FIRST = 1
_VERSION = "state_version"


@dataclass(frozen=True)
class Record:
    """A manager's own state at the moment of a save.

    Attributes:
        save_counter: The counter, including this save.
        preserved: The time of the last preserved checkpoint before this save, in POSIX seconds.
        rules: The retention rules. The manager's decisions after the save follow from them.
        since: The first place in the order of saving that is under management. Earlier checkpoints
            stay for good.
    """

    save_counter: int
    preserved: float
    rules: Retention
    since: int = 0

    def as_state(self, metadata: Mapping[str, Any], evidence: Mapping[str, Any]) -> dict[str, Any]:
        """JSON values for the state in the checkpoint, with the user's and a witness' beside."""
        rules = self.rules
        best = rules.best_rule
        record = {
            "save_counter": self.save_counter,
            "last_preserved_timestamp": self.preserved,
            "managed_since": self.since,
            "max_to_keep": rules.last,
            "keep_checkpoint_every_n_hours": rules.every_hours,
            "keep_best": None if best is None else [best.metric, best.mode, best.count],
        }
        seen = {_EVIDENCE: dict(evidence)} if evidence else {}
        return {_RECORD: record, _METADATA: dict(metadata), **seen}

    @classmethod
    def of(cls, manifest: Manifest) -> Record:
        """The record in a checkpoint. Values in it that make no sense are ignored."""
        row = manifest.state.get(_RECORD)
        row = row if isinstance(row, dict) else {}
        best = row.get("keep_best")
        return cls(
            save_counter(manifest),
            float(_number(row.get("last_preserved_timestamp")) or 0.0),
            Retention(
                last=_positive(row.get("max_to_keep")),
                best=Best(str(best[0]), str(best[1]), _positive(best[2]) or 1)
                if isinstance(best, list) and len(best) == 3
                else None,
                every_hours=_hours(row.get("keep_checkpoint_every_n_hours")),
            ),
            _positive(row.get("managed_since")) or 0,
        )


def versioned(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a checkpoint, with the version of it: the first, if it names no other."""
    return {_VERSION: _FIRST, **state}


def refuse_newer(directory: str, manifest: Manifest) -> None:
    """Refuses a checkpoint whose state only a newer rekindle can read.

    Raises:
        FormatError: It is one.
        DamageError: Its version is not a number.
    """
    found = manifest.state.get(_VERSION, _FIRST)
    if type(found) is not int or found < 1:
        raise DamageError(
            f"Checkpoint {manifest.number} in {directory!r} names no version of its state, but"
            f" {found!r:.100}.",
            directory=directory,
            damages=[f"state_version: expected a whole number from 1 up, found {found!r:.100}"],
        )
    if found > STATE_VERSION:
        raise FormatError(
            f"Checkpoint {manifest.number} in {directory!r} was written by rekindle"
            f" {manifest.version}, whose state has version {found}. This rekindle reads versions up"
            f" to {STATE_VERSION}. Nothing was changed. Update rekindle.",
            path=directory,
            format=found,
            version=manifest.version,
        )


def is_managed(manifest: Manifest) -> bool:
    """Whether a manager saved the checkpoint, so that a manager may remove it."""
    return isinstance(manifest.state.get(_RECORD), dict)


def save_counter(manifest: Manifest) -> int:
    """The counter as of this checkpoint; the checkpoint's number if there is no valid record."""
    row = manifest.state.get(_RECORD)
    found = row.get("save_counter") if isinstance(row, dict) else None
    return found if type(found) is int and found >= 0 else manifest.number


def metadata(manifest: Manifest) -> dict[str, Any]:
    found = manifest.state.get(_METADATA)
    return dict(found) if isinstance(found, dict) else {}


def entry(manifest: Manifest) -> Entry:
    return Entry(manifest.number, manifest.time, metadata(manifest))


def _number(value: Any) -> float | None:
    # A whole number may be too large to calculate with.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and abs(value) < 1e15 else None


def _hours(value: Any) -> float | None:
    found = _number(value)
    return found if found is not None and found > 0 else None


def _positive(value: Any) -> int | None:
    return value if type(value) is int and value >= 1 else None
