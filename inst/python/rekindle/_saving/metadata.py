"""What a manager writes of itself into each checkpoint, so that the next manager knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rekindle._format.manifest import Manifest
from rekindle._policy.retention import Best, Entry, Retention

_RECORD = "manager"
_METADATA = "metadata"


@dataclass(frozen=True)
class Record:
    """A manager's own state at the moment of a save.

    Attributes:
        save_counter: The counter, this save counted.
        preserved: The time last preserved before it, in POSIX seconds.
        rules: What is kept: what the manager decided after the save follows from them.
        since: The first place in the order of saving that is under management. What was saved
            before it stays for good.
    """

    save_counter: int
    preserved: float
    rules: Retention
    since: int = 0

    def as_state(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """JSON values for the state of the save."""
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
        return {_RECORD: record, _METADATA: dict(metadata)}

    @classmethod
    def of(cls, manifest: Manifest) -> Record:
        """The record in a save; whatever makes no sense in it is as if it was not there."""
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


def is_managed(manifest: Manifest) -> bool:
    """Whether a manager saved it, so that one may let it go."""
    return isinstance(manifest.state.get(_RECORD), dict)


def save_counter(manifest: Manifest) -> int:
    """The counter as it was with this save; its number where no manager says."""
    row = manifest.state.get(_RECORD)
    found = row.get("save_counter") if isinstance(row, dict) else None
    return found if type(found) is int and found >= 0 else manifest.number


def metadata(manifest: Manifest) -> dict[str, Any]:
    found = manifest.state.get(_METADATA)
    return dict(found) if isinstance(found, dict) else {}


def entry(manifest: Manifest) -> Entry:
    return Entry(manifest.number, manifest.time, metadata(manifest))


def _number(value: Any) -> float | None:
    # A whole number may be larger than any that can be reckoned with.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and abs(value) < 1e15 else None


def _hours(value: Any) -> float | None:
    found = _number(value)
    return found if found is not None and found > 0 else None


def _positive(value: Any) -> int | None:
    return value if type(value) is int and value >= 1 else None
