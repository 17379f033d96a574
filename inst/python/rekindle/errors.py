"""What can go wrong, as one small tree.

Every exception that rekindle raises on purpose is a :class:`RekindleError`, and each also is the
builtin exception that a caller would catch without knowing rekindle::

    RekindleError
    ├── ArgumentError     (ValueError)    an argument is not of the accepted form
    ├── DependencyError   (ImportError)   Keras, or the backend it is set to, cannot be imported
    ├── LockError         (RuntimeError)  another run holds the folder
    ├── ForeignFileError  (RuntimeError)  a file or folder is somebody else's
    ├── FormatError       (RuntimeError)  the folder was written by a newer rekindle
    ├── DamageError       (RuntimeError)  saves are there, and none of them is whole
    ├── MismatchError     (RuntimeError)  the save does not fit what it should be restored into
    │   └── UnmatchedError  (AssertionError)  what was asserted of a restore does not hold
    ├── RestoreError      (OSError)       the folder could not be opened or read
    └── SaveError         (OSError)       a save failed; those before it still stand

:class:`TrainingPreempted` is no error: it is the ``SystemExit`` that ends a run which was asked to.

Warnings are :class:`RekindleWarning` (a ``UserWarning``): :class:`DamageWarning` when an older save
had to be taken, :class:`SaveWarning` when a save failed and training goes on,
:class:`InexactWarning` when a resumed run cannot be the run that was interrupted,
:class:`TakeoverWarning` when a backup by Keras' own callback is gone on with,
:class:`MismatchWarning` when a checkpoint was restored in part.

The data an exception speaks of is in its attributes, named in each class's docstring. Exceptions
can be pickled, so that they cross process borders whole.
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
        **details: Set as attributes of the exception; each subclass names its own.
    """

    def __init__(self, message: str, **details: Any) -> None:
        # A message may quote names from a folder. Its own lines stay.
        message = printable(message, keep="\n")
        super().__init__(message)
        self.message = message
        self._details = tuple(details)
        # Not `__dict__.update`: `errno` is a slot of OSError, which would hide it.
        for name, value in details.items():
            setattr(self, name, value)

    # OSError and ImportError print their own fields; ours say everything in the message.
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
        value: What was given.
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
    """Another run holds the folder. Nothing in it was touched.

    Attributes:
        directory: The folder.
        host: The host the holder runs on, or ``None`` when it is not known.
        pid: The holder's process id, or ``None`` when it is not known.
        started: When the holder took the folder, in POSIX seconds, or ``None``.
    """

    directory: str
    host: str | None
    pid: int | None
    started: float | None


class ForeignFileError(RekindleError, RuntimeError):
    """A file is somebody else's, and was not touched.

    Rekindle did not write it, and it stands under a name that rekindle needs. Or the file, or the
    folder of the saves, belongs to another user than the one who wants to resume from it.

    Attributes:
        path: The file or the folder.
    """

    path: str


class FormatError(RekindleError, RuntimeError):
    """The save was written by a newer rekindle, in a format this one does not know.

    Attributes:
        path: The manifest.
        format: The format's number in the file.
        version: The version of rekindle that wrote it.
    """

    path: str
    format: int
    version: str


class DamageError(RekindleError, RuntimeError):
    """Saves are there, and none of them is whole. They were left as they are.

    Attributes:
        directory: The folder.
        damages: What was found, one line for each save, newest first.
    """

    directory: str
    damages: list[str]


class MismatchError(RekindleError, RuntimeError):
    """The save does not fit the objects it should be restored into. Nothing was changed.

    Attributes:
        differences: One line for each difference, with what is expected and what was found.
    """

    differences: list[str]


class UnmatchedError(MismatchError, AssertionError):
    """What was asserted of a restore does not hold. What did match was restored.

    Attributes:
        differences: One line for each place that was not matched.
    """


class RestoreError(RekindleError, OSError):
    """The folder could not be opened or read.

    Attributes:
        directory: The folder.
        errno: The system's error number, when the system refused.
    """

    directory: str


class SaveError(RekindleError, OSError):
    """A save could not be written. Those before it still stand, and the partial files are gone.

    Attributes:
        directory: The folder.
        errno: The system's error number.
        needed: Bytes that the save needed.
        free: Bytes that were free on the file system, or ``None`` when it does not say.
    """

    directory: str
    needed: int
    free: int | None


class TrainingPreempted(SystemExit):
    """Training was asked to end by a signal, and has. Uncaught, it ends the process.

    Args:
        message: What happened.
        code: The exit status of the process.
        signal: The signal's name, such as ``"SIGTERM"``.
        path: The save that the run goes on from, or ``None`` when there is none yet.
        saved: Whether that save was made because of the signal, so that nothing is lost.

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
    """A save is damaged: it was set aside under another name, and an older one was taken."""


class SaveWarning(RekindleWarning):
    """A save, or the clearing away of an older one, failed; training goes on."""


class InexactWarning(RekindleWarning):
    """Something of the interrupted run could not be brought back exactly."""


class TakeoverWarning(RekindleWarning):
    """A backup that Keras' own callback wrote is gone on with, or it or TensorFlow's cannot be.

    Args:
        message: What happened.
        **facts: Set as attributes: `directory`; when the backup is gone on with also `epoch`
            (counted from 0), `batch` as Keras wrote it, `step` and `notes`.
    """

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.__dict__.update(facts)


class MismatchWarning(RekindleWarning):
    """A checkpoint was restored in part, and nobody said that this is meant."""


def bulleted(lines: list[str], at_most: int = 20) -> str:
    """The part of a message that has a line for each of many things, and says how many are left."""
    shown = [printable(line) for line in lines[:at_most]]
    if len(lines) > len(shown):
        shown.append(f"... and {len(lines) - len(shown)} more")
    return "".join(f"- {line}\n" for line in shown)


# Users meet these as `rekindle.LockError`; tracebacks and R conditions name them so.
for _name in __all__:
    globals()[_name].__module__ = "rekindle"


class UnsupportedValueError(TypeError):
    """A value in the tree is of a type that cannot be saved; the message names it and its place."""


class BrokenTreeError(ValueError):
    """What was read is not a tree that :func:`flatten` could have written."""
