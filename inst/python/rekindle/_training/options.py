"""What the callback was asked for, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rekindle._policy.preemption import Preemption
from rekindle._policy.retention import Best


@dataclass(frozen=True)
class FitOptions:
    """The arguments of the callback, checked."""

    directory: str
    max_to_keep: int | None
    delete_checkpoint: bool
    restore_history: bool
    on_mismatch: str
    on_save_error: str
    verbose: int
    background: bool
    extra_state: Mapping[str, Any] = field(default_factory=dict)
    keep_checkpoint_every_n_hours: float | None = None
    keep_best: Best | None = None
    on_preemption: Preemption | None = None
