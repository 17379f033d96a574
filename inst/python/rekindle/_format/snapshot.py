"""The state of a training in memory: before it is written, and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rekindle._base.arrays import AnyArray
from rekindle._format.manifest import Manifest, Position


@dataclass(frozen=True)
class Snapshot:
    """What is to be saved.

    Attributes:
        arrays: Arrays by name, of a dtype that format 1 knows.
        state: JSON values; NaN and infinities are not among them.
        position: Where the run stands.
        digests: Those of arrays that have been made already, by name, when the arrays were copied.
    """

    arrays: Mapping[str, AnyArray]
    state: Mapping[str, Any] = field(default_factory=dict)
    position: Position = field(default_factory=Position)
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A save read back, every byte of it verified."""

    manifest: Manifest
    arrays: dict[str, AnyArray]
