"""What can go wrong, as one small tree.

Every exception that rekindle raises on purpose is a :class:`RekindleError`, and each also is the
builtin exception that a caller would catch without knowing rekindle::

    RekindleError
    ├── ArgumentError     (ValueError)    an argument is not of the accepted form
    ├── DependencyError   (ImportError)   Keras, or the backend it is set to, cannot be imported
    ├── LockError         (RuntimeError)  another run holds the folder
    ├── ForeignFileError  (RuntimeError)  a file that rekindle did not write stands where its own
    would ├── FormatError       (RuntimeError)  the folder was written by a newer rekindle ├──
    DamageError       (RuntimeError)  saves are there, and none of them is whole ├── MismatchError
    (RuntimeError)  the save does not fit the objects it should be restored into ├── RestoreError
    (OSError)       the folder could not be opened or read └── SaveError         (OSError)       a
    save could not be written; the one before it still stands

Warnings are :class:`RekindleWarning` (a ``UserWarning``): :class:`DamageWarning` when an older save
had to be taken, :class:`SaveWarning` when a save failed and training goes on,
:class:`InexactWarning` when a resumed run cannot be the run that was interrupted.

The data an exception speaks of is in its attributes, named in each class's docstring. Exceptions
can be pickled, so that they cross process borders whole.
"""

from __future__ import annotations

from typing import Any

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
]


class RekindleError(Exception):
    """Root of every exception that rekindle raises on purpose.

    Args:
        message: What happened, and what to do about it.
        **details: Set as attributes of the exception; each subclass names its own.
    """

    def __init__(self, message: str, **details: Any) -> None:
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
    """A file that rekindle did not write stands under a name rekindle needs. It was not touched.

    Attributes:
        path: The file.
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


class RestoreError(RekindleError, OSError):
    """The folder could not be opened or read.

    Attributes:
        directory: The folder.
        errno: The system's error number, when the system refused.
    """

    directory: str


class SaveError(RekindleError, OSError):
    """A save could not be written. The save before it still stands, and the partial files are gone.

    Attributes:
        directory: The folder.
        errno: The system's error number.
        needed: Bytes that the save needed.
        free: Bytes that were free on the file system, or ``None`` when it does not say.
    """

    directory: str
    needed: int
    free: int | None


class RekindleWarning(UserWarning):
    """Root of every warning of rekindle."""


class DamageWarning(RekindleWarning):
    """A save is damaged: it was set aside under another name, and an older one was taken."""


class SaveWarning(RekindleWarning):
    """A save, or the clearing away of an older one, failed; training goes on."""


class InexactWarning(RekindleWarning):
    """Something of the interrupted run could not be brought back exactly."""


# Users meet these as `rekindle.LockError`; tracebacks and R conditions name them so.
for _name in __all__:
    globals()[_name].__module__ = "rekindle"
