"""What may differ between two runs of a script: the table behind `allow_changes`. Pure.

The layers of the model and the shapes of its variables are not in the table: another model is
refused in any case. Neither are validation data, `verbose` and callbacks that are added: they may
change freely.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rekindle._base import checks
from rekindle.errors import ArgumentError

# Allows each change. Unlike a change that is named, it is warned of.
ALL = "all"

# How a difference begins, if it is not the name of a setting and a colon.
OTHER_START = "the backup is of a fit() that began"
LATER_CALL = "the backup is of a later call of fit()"
A_CALLBACK = "the callback "
OTHER_BATCHES = "the data did not give the same batches again"

# What follows from another number of samples, size of a batch or number of steps.
_OF_EPOCH = ("batches in an epoch", f"{OTHER_BATCHES}, ")

# For each accepted name, the differences that it stands for: the names of settings, or how they
# begin, with a space at the end.
_COVERED: Mapping[str, tuple[str, ...]] = {
    "learning_rate": ("the optimizer's learning_rate",),
    "weight_decay": ("the optimizer's weight_decay",),
    "optimizer": ("optimizer", "the optimizer's "),
    "loss": ("loss", "reward", "class_weight"),
    "batch_size": ("batch size", "batch_size", "minibatch_size", *_OF_EPOCH),
    "steps": ("steps_per_epoch", "steps_per_execution", *_OF_EPOCH),
    "data": (
        *("data", "number of samples", "number of validation samples", "shuffle"),
        *("adapted layer ", *_OF_EPOCH),
    ),
    "epochs": (f"{OTHER_START} ", LATER_CALL),
    "callbacks": (A_CALLBACK,),
    "language_models": ("language models",),
    "backend": ("backend",),
    "devices": ("devices", "replicas", "workers"),
    "versions": (
        *("python", "numpy", "keras", "tf_keras", "synalinks", "jax", "torch", "tensorflow"),
    ),
}

NAMES = (*_COVERED, ALL)

# The settings that are compared, and do not rule a checkpoint out.
_NOTED = ("devices",)

# Changes that no setting shows: other samples of the same number, another function as loss. Each
# with what the witness then sees as different.
_LOSSES = frozenset({"losses", "epochs"})
_UNSEEN: Mapping[str, frozenset[str]] = {
    "data": _LOSSES | {"batches"},
    "loss": _LOSSES,
    "optimizer": _LOSSES,
    "learning_rate": _LOSSES,
    "callbacks": _LOSSES,
}


@dataclass(frozen=True)
class AllowedChanges:
    """The changes that the user allows, by the names of the table."""

    names: frozenset[str] = frozenset()

    @staticmethod
    def of(value: Any) -> AllowedChanges:
        """From the argument `allow_changes`.

        Raises:
            ArgumentError: It has an unknown name.
        """
        if value is None:
            return AllowedChanges()
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list | tuple | set | frozenset):
            raise checks.invalid("allow_changes", value, f"None, or names: {_listed(NAMES)}")
        unknown = [name for name in names if not isinstance(name, str) or name not in NAMES]
        if unknown:
            raise ArgumentError(
                f"Invalid value for argument `allow_changes`. Received: {unknown[0]!r:.200}."
                f" Expected {_listed(NAMES)}.",
                argument="allow_changes",
                value=value,
            )
        return AllowedChanges(frozenset(names))

    def allows(self, name: str) -> bool:
        """Whether changes of this name are allowed."""
        return name in self.names or ALL in self.names

    def refused(self, lines: Iterable[str]) -> list[str]:
        """The differences that rule the checkpoint out."""
        if ALL in self.names:
            return []
        return [line for line in lines if _setting(line) not in _NOTED and not self.is_meant(line)]

    def is_meant(self, line: str) -> bool:
        """Whether the user has named this difference, so that it needs no warning."""
        return not self.names.isdisjoint(_names_for(line))

    @property
    def unseen(self) -> frozenset[str]:
        """What the witness may see as different, since no setting shows the allowed change."""
        return frozenset().union(*(_UNSEEN.get(name, ()) for name in self.names))


def advice(lines: Collection[str]) -> str:
    """Says how to allow these differences: the fewest names that cover them, as far as possible."""
    needed: list[str] = []
    for line in lines:
        names = _names_for(line)
        if not names:
            needed = [ALL]
            break
        if not set(names) & set(needed):
            needed.append(names[0])
    those = "this change" if len(needed) == 1 else "these changes"
    listed = ", ".join(f'"{name}"' for name in needed)
    return f" If you mean {those}, name {'it' if len(needed) == 1 else 'them'} in" + (
        f" `allow_changes`: {listed}."
    )


def _setting(line: str) -> str:
    """The name of the setting that a difference is about."""
    return line.partition(":")[0]


def _names_for(line: str) -> list[str]:
    """The names that cover a difference, the most specific first."""
    setting = _setting(line)
    return [
        name
        for name, covered in _COVERED.items()
        if any(setting == one or (one[-1] == " " and line.startswith(one)) for one in covered)
    ]


def _listed(names: Iterable[str]) -> str:
    *rest, last = map(repr, names)
    return f"{', '.join(rest)} or {last}"
