"""Checks the callback's arguments: returns the value to use, or raises an error."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, ParamSpec

from rekindle._base import checks, durations, places
from rekindle._policy.intervals import Auto
from rekindle._policy.preemption import Preemption
from rekindle._policy.retention import Retention
from rekindle._policy.tolerance import tolerance_of
from rekindle._training.changes import AllowedChanges
from rekindle._training.extra_state import can_be_restored
from rekindle._training.options import FitOptions
from rekindle.errors import ArgumentError

_P = ParamSpec("_P")


def options(
    *,
    backup_dir: Any,
    save_freq: Any,
    double_checkpoint: Any,
    delete_checkpoint: Any,
    restore_history: Any,
    allow_changes: Any,
    on_save_error: Any,
    extra_state: Any,
    verbose: Any,
    background: Any,
    retention: Any,
    save_before_preemption: Any,
    on_difference: Any,
    worker_timeout: Any = "10 min",
    storage_options: Any = None,
) -> FitOptions:
    """The options of a callback, from its arguments; the first that is wrong is an error."""
    directory, when = folder(backup_dir), _save_freq(save_freq)
    keeps_two = checks.flag("double_checkpoint", double_checkpoint)
    return FitOptions(
        directory=directory,
        save_freq=when,
        double_checkpoint=keeps_two,
        delete_checkpoint=checks.flag("delete_checkpoint", delete_checkpoint),
        restore_history=checks.flag("restore_history", restore_history),
        allowed=AllowedChanges.of(allow_changes),
        on_save_error=checks.choice("on_save_error", on_save_error, ("warn", "raise")),
        extra_state=_extra_state(extra_state),
        verbose=int(checks.choice("verbose", verbose, (0, 1, 2))),
        background=checks.flag("background", background),
        retention=_retention(retention, keeps_two),
        preemption=_preemption(save_before_preemption, when),
        tolerance=tolerance_of("on_difference", on_difference),
        worker_timeout=_seconds("worker_timeout", worker_timeout),
        storage_options=checks.storage_options(storage_options),
    )


def takes_on_mismatch(init: Callable[_P, None]) -> Callable[_P, None]:
    """Lets an `__init__` take `on_mismatch`, which `allow_changes` was before it had names.

    ``"warn"`` stands for all of them, and ``"error"`` for none.
    """

    @functools.wraps(init)
    def takes(*args: _P.args, **given: _P.kwargs) -> None:
        old = given.pop("on_mismatch", None)
        if old is not None:
            checks.choice("on_mismatch", old, ("error", "warn"))
            if given.get("allow_changes") is not None:
                raise ArgumentError(
                    "Give `allow_changes` or `on_mismatch`, not both.",
                    argument="on_mismatch",
                    value=old,
                )
            given["allow_changes"] = "all" if old == "warn" else None
        init(*args, **given)

    return takes


def folder(value: Any) -> str:
    # Keras' own words: its tests and its users' code look for them.
    if value is None or value in ("", b""):
        raise ArgumentError(
            "Empty `backup_dir` argument passed. Give the path of a folder for the backup.",
            argument="backup_dir",
            value=value,
        )
    return places.absolute(checks.place("backup_dir", value))


def _save_freq(value: Any) -> str | int | timedelta | Auto:
    if (
        isinstance(value, Auto)
        or value is False
        or (isinstance(value, str) and value in ("epoch", "auto"))
    ):
        return value
    # True would save after every batch: isinstance() alone takes it for a whole number.
    if checks.is_int(value) and value >= 1:
        return int(value)
    if isinstance(value, str | timedelta) and durations.parse(value) is not None:
        return value
    raise checks.invalid(
        "save_freq",
        value,
        f"'epoch', a whole number of batches from 1 up, {durations.ACCEPTED}, 'auto', a"
        " rekindle.Auto, or False",
    )


def _seconds(name: str, value: Any) -> float:
    found = durations.parse(value) if isinstance(value, str | timedelta) else None
    if found is None:
        raise checks.invalid(name, value, durations.ACCEPTED)
    return found


def _retention(value: Any, double_checkpoint: bool) -> Retention:
    if value is None:
        return Retention(last=2 if double_checkpoint else 1)
    if not isinstance(value, Retention):
        raise checks.invalid("retention", value, "a rekindle.Retention, or None")
    if double_checkpoint and value.last != 2:
        raise ArgumentError(
            f"double_checkpoint=True keeps 2 checkpoints, and retention={value!r} was given as"
            " well. Leave one of them out.",
            argument="retention",
            value=value,
        )
    return value


def _preemption(value: Any, save_freq: Any) -> Preemption | None:
    """How signals are answered; ``None``: they are not."""
    if isinstance(value, Preemption):
        return value
    if type(value).__name__ not in ("bool", "bool_"):
        expected = "True, False or a rekindle.Preemption"
        raise checks.invalid("save_before_preemption", value, expected)
    if value:
        return Preemption()
    if save_freq is False:
        raise ArgumentError(
            "save_freq=False saves only before a preemption, and save_before_preemption=False"
            " turns that off, too: nothing would ever be saved. Change one of them.",
            argument="save_before_preemption",
            value=value,
        )
    return None


def _extra_state(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ArgumentError(
            f"Invalid value for argument `extra_state`. Received: extra_state={value!r}."
            " Expected a dict of named objects.",
            argument="extra_state",
            value=value,
        )
    for name, item in value.items():
        if not can_be_restored(item):
            raise ArgumentError(
                f"Invalid value for argument `extra_state`. Received: {name}={item!r:.200}."
                " Expected objects that a restore can change: with the methods state_dict() and"
                " load_state_dict(), Keras variables, layers, optimizers or metrics, random"
                " generators, NumPy arrays, lists, dicts, sets and dataclasses.",
                argument="extra_state",
                value=value,
            )
    return dict(value)
