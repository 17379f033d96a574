"""Checks of the callback's arguments: the value as it is used, or an error that says what is."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from rekindle._base import checks, durations
from rekindle._codec import kinds
from rekindle._policy.preemption import Preemption
from rekindle._saving import arguments
from rekindle.errors import ArgumentError

MAX_OVERHEAD = 0.035


class _Default:
    """The default of an argument for which ``None`` has a meaning."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __repr__(self) -> str:
        return self._words


BY_DOUBLE_CHECKPOINT: Any = _Default("<2 if double_checkpoint else 1>")


def folder(value: Any) -> str:
    # Keras' words, which its tests and its users' code look for.
    if value is None or value in ("", b""):
        raise ArgumentError(
            "Empty `backup_dir` argument passed. Give the path of a folder for the backup.",
            argument="backup_dir",
            value=value,
        )
    return os.path.abspath(checks.path("backup_dir", value))


def save_freq(value: Any) -> str | int | timedelta:
    if value is False or (isinstance(value, str) and value in ("epoch", "auto")):
        return value
    # True would save after every batch: to isinstance() alone it is a whole number.
    if checks.is_int(value) and value >= 1:
        return int(value)
    if isinstance(value, str | timedelta) and durations.parse(value) is not None:
        return value
    raise checks.invalid(
        "save_freq",
        value,
        f"'epoch', a whole number of batches from 1 up, {durations.ACCEPTED}, 'auto', or False",
    )


def for_auto(
    save_freq: Any, max_overhead: Any, between_failures: Any
) -> tuple[float, float | None]:
    """The two arguments that mean something to save_freq="auto" alone."""
    name = "mean_time_between_failures"
    seconds = durations.seconds(name, between_failures)
    if not checks.is_number(max_overhead) or not 0 < max_overhead <= 1:
        expected = "a number above 0 and up to 1: 0.035 is 3.5 %"
        raise checks.invalid("max_overhead", max_overhead, expected)
    unused = {"max_overhead": max_overhead != MAX_OVERHEAD, name: seconds is not None}
    for argument, is_given in unused.items():
        if is_given and save_freq != "auto":
            raise ArgumentError(
                f"`{argument}` was given, and save_freq={save_freq!r} makes no use of it. Use"
                " save_freq='auto' to have the interval chosen by it.",
                argument=argument,
                value=max_overhead if argument == "max_overhead" else between_failures,
            )
    return float(max_overhead), seconds


def max_to_keep(value: Any, double_checkpoint: bool) -> int | None:
    if value is BY_DOUBLE_CHECKPOINT:
        return 2 if double_checkpoint else 1
    count = arguments.max_to_keep(value)
    if double_checkpoint and count != 2:
        raise ArgumentError(
            f"double_checkpoint=True keeps 2 saves, and max_to_keep={value!r} was given as well."
            " Leave one of them out.",
            argument="max_to_keep",
            value=value,
        )
    return count


SIGNALS = ("SIGTERM", "SIGUSR1", "SIGUSR2")


def on_preemption(
    save: Any, signals: Any, after: Any, exit_code: Any, grace: Any, save_freq: Any
) -> Preemption | None:
    """What the arguments about preemption ask for; ``None`` when nothing."""
    if not checks.flag("save_before_preemption", save):
        if save_freq is False:
            raise ArgumentError(
                "save_freq=False saves before a preemption only, and save_before_preemption=False"
                " not even then: nothing would ever be saved. Change one of them.",
                argument="save_before_preemption",
                value=save,
            )
        return None
    names = (signals,) if isinstance(signals, str) else signals
    known = {one.name for one in signal.Signals} - {"SIGKILL", "SIGSTOP", "SIGINT"}
    # Names that another system has are no mistake here.
    if not isinstance(names, list | tuple) or not all(
        isinstance(name, str) and (name in known or name in SIGNALS) for name in names
    ):
        expected = "names of signals that can be handled, such as 'SIGTERM'"
        raise checks.invalid("preemption_signals", signals, expected)
    if not checks.is_int(exit_code) or not 1 <= exit_code <= 255:
        raise checks.invalid("preemption_exit_code", exit_code, "a whole number from 1 to 255")
    if not checks.is_number(grace) or grace < 0:
        raise checks.invalid("grace_seconds", grace, "a number of seconds from 0 up")
    stops = checks.choice("after_preemption", after, ("stop", "continue")) == "stop"
    return Preemption(tuple(names), stops, int(exit_code), float(grace))


def extra_state(value: Any) -> dict[str, Any]:
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
        if not kinds.can_be_put_back(item):
            raise ArgumentError(
                f"Invalid value for argument `extra_state`. Received: {name}={item!r:.200}."
                " Expected objects with the methods state_dict() and load_state_dict(), Keras"
                " variables, layers, optimizers or metrics, random generators or NumPy arrays.",
                argument="extra_state",
                value=value,
            )
    return dict(value)
