"""How a signal that announces the end of the process is answered."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from rekindle._base import checks

# Those that schedulers send. Names that another system has are no mistake here.
SIGNALS = ("SIGTERM", "SIGUSR1", "SIGUSR2")


@dataclass(frozen=True)
class Preemption:
    """How to answer signals that announce the end of the process.

    Args:
        signals: A name of a signal, or a sequence of names. rekindle also calls the handlers that
            are already there, and restores them after training. Defaults to
            ``("SIGTERM", "SIGUSR1", "SIGUSR2")``.
        then: ``"stop"`` or ``"continue"``. What to do after the checkpoint. ``"stop"`` raises
            ``TrainingPreempted``, a ``SystemExit``, once the checkpoint is durable. ``"continue"``
            continues training: it is for signals that come as an early warning. A second signal,
            more than one second after the first, ends training at once, without another
            checkpoint. A script that catches ``TrainingPreempted`` continues: the signal has been
            answered, and rekindle does not send it again. Defaults to ``"stop"``.
        exit_code: int from 1 to 255. The exit status of a process that ends in this way. A
            scheduler can use it to run the process again. Defaults to 75, which ``sysexits.h``
            calls a temporary failure.
        grace: float from 0 up. Seconds between such a signal and the kill that follows it. If
            rekindle is writing a checkpoint when the signal comes, and could not finish another
            checkpoint in time, it relies on that checkpoint and begins no other. Defaults to 30.

    Raises:
        ArgumentError: (a ``ValueError``) An argument is not of the accepted form.

    Example::

        rekindle.Preemption("SIGUSR1", then="continue", grace=120)
    """

    signals: str | Sequence[str] = SIGNALS
    then: str = "stop"
    exit_code: int = 75
    grace: float = 30.0

    def __post_init__(self) -> None:
        names = (self.signals,) if isinstance(self.signals, str) else self.signals
        known = {one.name for one in signal.Signals} - {"SIGKILL", "SIGSTOP", "SIGINT"}
        if not isinstance(names, list | tuple) or not all(
            isinstance(name, str) and (name in known or name in SIGNALS) for name in names
        ):
            expected = "names of signals that can be handled, such as 'SIGTERM'"
            raise checks.invalid("signals", self.signals, expected)
        object.__setattr__(self, "signals", tuple(names))
        checks.choice("then", self.then, ("stop", "continue"))
        if not checks.is_int(self.exit_code) or not 1 <= self.exit_code <= 255:
            raise checks.invalid("exit_code", self.exit_code, "a whole number from 1 to 255")
        # SystemExit takes no other whole number for an exit status.
        object.__setattr__(self, "exit_code", int(self.exit_code))
        if not checks.is_number(self.grace) or not self.grace >= 0:
            raise checks.invalid("grace", self.grace, "a number of seconds from 0 up")
        object.__setattr__(self, "grace", float(self.grace))

    @property
    def names(self) -> tuple[str, ...]:
        """The signals' names."""
        return tuple(self.signals)

    @property
    def stops(self) -> bool:
        """Whether training stops after the checkpoint."""
        return self.then == "stop"
