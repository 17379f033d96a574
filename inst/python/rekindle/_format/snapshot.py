"""The state of a training in memory: before it is written, and after it is read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rekindle._base.arrays import AnyArray
from rekindle._format.manifest import Manifest, Position


@dataclass(frozen=True)
class Snapshot:
    """The copy of a state in memory, to be written as a checkpoint.

    Attributes:
        arrays: Arrays by name. Format 1 must support their dtypes.
        state: JSON values without NaN and infinities.
        position: The position of the run.
        digests: Digests by array name, for the arrays that were hashed when they were copied.
    """

    arrays: Mapping[str, AnyArray]
    state: Mapping[str, Any] = field(default_factory=dict)
    position: Position = field(default_factory=Position)
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A checkpoint that was read back, with every byte verified."""

    manifest: Manifest
    arrays: dict[str, AnyArray]

    def copy(self, besides: tuple[str, ...]) -> LoadedCheckpoint:
        """The same with arrays of its own, except for those whose names begin so."""
        arrays = {n: a if n.startswith(besides) else a.copy() for n, a in self.arrays.items()}
        return LoadedCheckpoint(self.manifest, arrays)
