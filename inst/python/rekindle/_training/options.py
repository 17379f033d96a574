"""The options of a fit() under backup, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rekindle._policy.intervals import Auto
from rekindle._policy.preemption import Preemption
from rekindle._policy.retention import Retention
from rekindle._policy.tolerance import Tolerance
from rekindle._training.changes import AllowedChanges


@dataclass(frozen=True)
class FitOptions:
    """The arguments of the callback, checked."""

    directory: str
    save_freq: str | int | timedelta | Auto
    double_checkpoint: bool
    delete_checkpoint: bool
    restore_history: bool
    on_save_error: str
    verbose: int
    background: bool
    retention: Retention
    extra_state: Mapping[str, Any] = field(default_factory=dict)
    allowed: AllowedChanges = field(default_factory=AllowedChanges)
    preemption: Preemption | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    worker_timeout: float = 600.0
    # It may hold secrets.
    storage_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
