"""Saves trainings so that they survive a kill.

Importing this package imports neither Keras nor a backend. The callback for Keras 3 is
:class:`rekindle.keras.BackupAndRestore`. For custom training loops, use
:class:`rekindle.Checkpoint` and :class:`rekindle.CheckpointManager`.
"""

from rekindle._base.version import __version__
from rekindle._policy.intervals import Auto
from rekindle._policy.preemption import Preemption
from rekindle._policy.retention import Retention
from rekindle._policy.tolerance import Tolerance
from rekindle.checkpoint import Checkpoint, RestoreStatus
from rekindle.errors import (
    ArgumentError,
    DamageError,
    DamageWarning,
    DependencyError,
    ForeignFileError,
    FormatError,
    InexactWarning,
    LockError,
    MismatchError,
    MismatchWarning,
    RekindleError,
    RekindleWarning,
    RestoreError,
    SaveError,
    SaveWarning,
    TakeoverWarning,
    TrainingPreempted,
    UnmatchedError,
)
from rekindle.manager import CheckpointManager, latest_checkpoint

__all__ = [
    "ArgumentError",
    "Auto",
    "Checkpoint",
    "CheckpointManager",
    "DamageError",
    "DamageWarning",
    "DependencyError",
    "ForeignFileError",
    "FormatError",
    "InexactWarning",
    "LockError",
    "MismatchError",
    "MismatchWarning",
    "Preemption",
    "RekindleError",
    "RekindleWarning",
    "RestoreError",
    "RestoreStatus",
    "Retention",
    "SaveError",
    "SaveWarning",
    "TakeoverWarning",
    "Tolerance",
    "TrainingPreempted",
    "UnmatchedError",
    "__version__",
    "latest_checkpoint",
]

# Where users meet them.
for _option in (Auto, Preemption, Retention, Tolerance):
    _option.__module__ = __name__
