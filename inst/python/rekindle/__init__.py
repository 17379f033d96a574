"""Training that survives being killed.

Importing this package imports neither Keras nor a backend. The callback for Keras 3 is
:class:`rekindle.keras.BackupAndRestore`; for a training loop of one's own there are
:class:`rekindle.Checkpoint` and :class:`rekindle.CheckpointManager`.
"""

from rekindle._base.version import __version__
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
    "RekindleError",
    "RekindleWarning",
    "RestoreError",
    "RestoreStatus",
    "SaveError",
    "SaveWarning",
    "TakeoverWarning",
    "TrainingPreempted",
    "UnmatchedError",
    "__version__",
    "latest_checkpoint",
]
