"""Training that survives being killed.

Importing this package imports neither Keras nor a backend. The callback for Keras 3 is
:class:`rekindle.keras.BackupAndRestore`.
"""

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
    RekindleError,
    RekindleWarning,
    RestoreError,
    SaveError,
    SaveWarning,
)

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "DamageError",
    "DamageWarning",
    "DependencyError",
    "ForeignFileError",
    "FormatError",
    "InexactWarning",
    "LockError",
    "MismatchError",
    "RekindleError",
    "RekindleWarning",
    "RestoreError",
    "SaveError",
    "SaveWarning",
    "__version__",
]
