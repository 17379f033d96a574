"""The exceptions and warnings of rekindle, as one small tree.

Every exception that rekindle raises on purpose is a :class:`RekindleError`. Each is also the
builtin exception that a caller would catch without knowing rekindle::

    RekindleError
    ├── ArgumentError     (ValueError)    an argument is not of the accepted form
    ├── DependencyError   (ImportError)   Keras, or the backend it is set to, cannot be imported
    ├── LockError         (RuntimeError)  another run holds the folder
    ├── ForeignFileError  (RuntimeError)  a file is not rekindle's, or belongs to another user
    ├── FormatError       (RuntimeError)  a newer rekindle wrote the folder
    ├── DamageError       (RuntimeError)  there are checkpoints, and none of them is whole
    ├── MismatchError     (RuntimeError)  the checkpoint does not fit the objects
    │   └── UnmatchedError  (AssertionError)  an assertion about a restore does not hold
    ├── RestoreError      (OSError)       the folder could not be opened or read
    └── SaveError         (OSError)       a save failed; earlier checkpoints are intact

:class:`TrainingPreempted` is no error: this ``SystemExit`` ends a run that a signal asked to end.
Every warning is a :class:`RekindleWarning` (a ``UserWarning``): :class:`DamageWarning` if rekindle
had to use an older checkpoint, :class:`SaveWarning` if a save failed, :class:`InexactWarning` if a
resumed run cannot repeat the interrupted run exactly, :class:`TakeoverWarning` if a run resumes
from a backup of Keras' own callback, :class:`MismatchWarning` if a restore was partial.

The attributes of an exception hold its data; each class lists them. Pickling keeps them.
"""

from __future__ import annotations

from typing import Any

from rekindle._printable import printable

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
    "MismatchWarning",
    "RekindleError",
    "RekindleWarning",
    "RestoreError",
    "SaveError",
    "SaveWarning",
    "TakeoverWarning",
    "TrainingPreempted",
    "UnmatchedError",
]


class RekindleError(Exception):
    """Root of every exception that rekindle raises on purpose.

    Args:
        message: What happened, and what to do about it.
        **details: Become attributes of the exception. Each subclass lists its own.
    """

    def __init__(self, message: str, **details: Any) -> None:
        # A message may quote names from a folder, so escape it. Its own line breaks stay.
        message = printable(message, keep="\n")
        super().__init__(message)
        self.message = message
        self._details = tuple(details)
        # Not `__dict__.update`: `errno` is a slot of OSError, which would hide it.
        for name, value in details.items():
            setattr(self, name, value)

    # OSError and ImportError print their own fields. Here, the message already has everything.
    def __str__(self) -> str:
        return self.message

    # Without this, unpickling would call the class with the positional `args` of the builtin base.
    def __reduce__(self) -> tuple[Any, ...]:
        details = {name: getattr(self, name) for name in self._details}
        return (_rebuild, (type(self), self.message, details))


def _rebuild(cls: type[RekindleError], message: str, details: dict[str, Any]) -> RekindleError:
    return cls(message, **details)


class ArgumentError(RekindleError, ValueError):
    """An argument is not of the accepted form.

    Attributes:
        argument: The argument's name.
        value: The value that was given.
    """

    argument: str
    value: Any


class DependencyError(RekindleError, ImportError):
    """Keras, or the backend it is set to, cannot be imported.

    Attributes:
        package: The package that is missing.
    """

    package: str


class LockError(RekindleError, RuntimeError):
    """Another run holds the folder. rekindle did not change anything in it.

    Attributes:
        directory: The folder.
        host: The host that the holder runs on, or ``None`` if it is not known.
        pid: The holder's process id, or ``None`` if it is not known.
        started: When the holder locked the folder, in POSIX seconds, or ``None``.
    """

    directory: str
    host: str | None
    pid: int | None
    started: float | None


class ForeignFileError(RekindleError, RuntimeError):
    """A file is not rekindle's, or belongs to another user. rekindle did not change the file.

    rekindle did not write the file, but needs its name. Or the file, or the folder of the
    checkpoints, belongs to another user than the user who wants to resume from it.

    Attributes:
        path: The file or the folder.
    """

    path: str


class FormatError(RekindleError, RuntimeError):
    """A newer rekindle wrote the checkpoint, in a format that this version does not know.

    Attributes:
        path: The manifest.
        format: The format's number in the file.
        version: The version of rekindle that wrote it.
    """

    path: str
    format: int
    version: str


class DamageError(RekindleError, RuntimeError):
    """There are checkpoints, and none of them is whole. rekindle did not change them.

    Attributes:
        directory: The folder.
        damages: The damage that was found, one line for each checkpoint, newest first.
    """

    directory: str
    damages: list[str]


class MismatchError(RekindleError, RuntimeError):
    """The checkpoint does not fit the objects to restore into. Nothing was changed.

    Attributes:
        differences: One line for each difference: what was expected, and what was found.
    """

    differences: list[str]


class UnmatchedError(MismatchError, AssertionError):
    """An assertion about a restore does not hold. The values that did match were restored.

    Attributes:
        differences: One line for each place that was not matched.
    """


class RestoreError(RekindleError, OSError):
    """The folder could not be opened or read.

    Attributes:
        directory: The folder.
        errno: The system's error number, if the system refused.
    """

    directory: str


class SaveError(RekindleError, OSError):
    """A save failed. Earlier checkpoints are intact, and the partial files are removed.

    Attributes:
        directory: The folder.
        errno: The system's error number.
        needed: Bytes that the save needed.
        free: Bytes that were free on the file system, or ``None`` if it is not known.
    """

    directory: str
    needed: int
    free: int | None


class TrainingPreempted(SystemExit):
    """A signal asked training to end, and training has ended. Uncaught, this ends the process.

    Args:
        message: What happened.
        code: The exit status of the process.
        signal: The signal's name, such as ``"SIGTERM"``.
        path: The checkpoint that the run will resume from, or ``None`` if there is none yet.
        saved: Whether rekindle saved it because of the signal, so that nothing is lost.

    Attributes:
        message, code, signal, path, saved: As given.
    """

    def __init__(self, message: str, *, code: int, signal: str, path: str | None, saved: bool):
        super().__init__(code)
        self.message = printable(message, keep="\n")
        self.signal = signal
        self.path = path
        self.saved = saved

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        details = {"code": self.code, "signal": self.signal, "path": self.path}
        return (_rebuild_preempted, (self.message, details | {"saved": self.saved}))


def _rebuild_preempted(message: str, details: dict[str, Any]) -> TrainingPreempted:
    return TrainingPreempted(message, **details)


class RekindleWarning(UserWarning):
    """Root of every warning of rekindle."""

    def __str__(self) -> str:
        return printable(super().__str__(), keep="\n")


class DamageWarning(RekindleWarning):
    """A checkpoint is damaged: rekindle quarantined it (renamed it), and used an older one."""


class SaveWarning(RekindleWarning):
    """A save, or the removal of an older checkpoint, failed. Training goes on."""


class InexactWarning(RekindleWarning):
    """A part of the interrupted run could not be restored exactly."""


class TakeoverWarning(RekindleWarning):
    """A run resumes from a backup of Keras' own callback, or cannot from Keras' or TensorFlow's.

    Args:
        message: What happened.
        **facts: Become attributes: `directory`; if the run resumes from the backup, also `epoch`
            (counted from 0), `batch`, `step`, `notes`, and for Keras 2, `library`: "tf_keras".
    """

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.__dict__.update(facts)


class MismatchWarning(RekindleWarning):
    """A checkpoint was restored in part, and the caller did not check or accept that."""


def bulleted(lines: list[str], at_most: int = 20) -> str:
    """The lines as a list in a message. If there are more, the last line says how many."""
    shown = [printable(line) for line in lines[:at_most]]
    if len(lines) > len(shown):
        shown.append(f"... and {len(lines) - len(shown)} more")
    return "".join(f"- {line}\n" for line in shown)


# Users know these as `rekindle.LockError`. Tracebacks and R conditions use these names, too.
for _name in __all__:
    globals()[_name].__module__ = "rekindle"


class UnsupportedValueError(TypeError):
    """A value in a tree cannot be saved. Its arguments are its place, and the reason."""

    def __str__(self) -> str:
        return ": ".join(map(str, self.args))


class BrokenTreeError(ValueError):
    """The data is not a tree that :func:`flatten` could have written."""
