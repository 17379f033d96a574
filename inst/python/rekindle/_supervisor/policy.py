"""Decides whether to restart a command that has ended, and after how long. Pure functions."""

from __future__ import annotations

import signal
from collections.abc import Collection
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Rules:
    """The rules that the caller gave.

    Attributes:
        max_restarts: Restarts after failures in all; ``None`` for no limit.
        max_idle_restarts: Restarts in a row without progress of the backup.
        backoff: Seconds before the first restart.
        max_backoff: The most seconds that the doubled `backoff` can reach.
        preempted_code: Exit code of a command that has saved because it was asked to end.
    """

    max_restarts: int | None = None
    max_idle_restarts: int = 3
    backoff: float = 10.0
    max_backoff: float = 300.0
    preempted_code: int = 75


@dataclass(frozen=True)
class Tally:
    """The counts so far.

    Attributes:
        starts: Starts, including the one that has just ended.
        restarts: Restarts that count towards `max_restarts`.
        idle: Restarts in a row without progress of the backup.
        stuck: Starts in a row without progress of the backup.
    """

    starts: int = 1
    restarts: int = 0
    idle: int = 0
    stuck: int = 0


@dataclass(frozen=True)
class Ended:
    """How a start ended.

    Attributes:
        status: As a shell has it: the exit code, or 128 plus the signal's number.
        progress: Whether the backup is further than it ever was.
        is_complete: Whether the last event of the backup was its removal, because training was
            complete.
        passed_on: The signals that the supervisor passed on during this start.
        was_started: Whether the system could start the command at all.
    """

    status: int
    progress: bool = False
    is_complete: bool = False
    passed_on: frozenset[int] = field(default_factory=frozenset)
    was_started: bool = True


@dataclass(frozen=True)
class Decision:
    """The decision after a start has ended.

    Attributes:
        outcome: ``"again"``, ``"completed"``, ``"stopped"`` or ``"gave_up"``.
        why: The reason, as a clause for the reader.
        wait: Seconds before the next start.
        tally: The counts for the next decision.
    """

    outcome: str
    why: str
    wait: float = 0.0
    tally: Tally = field(default_factory=Tally)


# After one of these signals, the supervisor ends with its command. The other signals are warnings,
# and a command may well go on after them. They end the supervisor only if the command ends by them.
ENDING = frozenset({"SIGTERM", "SIGINT", "SIGHUP"})


def decide(rules: Rules, tally: Tally, ended: Ended, jitter: float) -> Decision:
    """Decides what to do after a start has ended.

    Args:
        rules: The rules that the caller gave.
        tally: The counts so far.
        ended: How the start ended.
        jitter: A random number from 0 to 1. It sets the wait, from half its length to all of it. So
            many runs that one event ended do not start again in the same instant.
    """
    if ended.status == 0:
        return Decision("completed", "the command has ended with exit code 0", tally=tally)
    if not ended.was_started:
        return Decision("gave_up", "the command could not be started", tally=tally)
    asked = asked_by(ended.passed_on, ended.status, rules.preempted_code)
    if asked is not None:
        return Decision("stopped", f"{asked} asked the command to end", tally=tally)
    if ended.is_complete:
        why = (
            "training was complete and its backup removed, so a restart would train from the"
            " beginning"
        )
        return Decision("gave_up", why, tally=tally)
    tally = _counted(tally, ended.progress)
    if not ended.progress and tally.idle >= rules.max_idle_restarts:
        return Decision("gave_up", _no_progress(tally.idle), tally=tally)
    preempted = ended.status == rules.preempted_code and ended.progress
    if not preempted:
        if rules.max_restarts is not None and tally.restarts >= rules.max_restarts:
            why = f"the limit of {rules.max_restarts} restarts is reached"
            return Decision("gave_up", why, tally=tally)
        tally = replace(tally, restarts=tally.restarts + 1)
    wait = 0.0 if preempted else _wait(rules, tally.stuck, jitter)
    return Decision("again", how(ended.status), wait, replace(tally, starts=tally.starts + 1))


def asked_by(passed_on: Collection[int], status: int, preempted_code: int) -> str | None:
    """The signal that was passed on and led to an end with this status, or ``None``."""
    for number in sorted(passed_on):
        name = signal.Signals(number).name
        if name in ENDING or status in (preempted_code, 128 + number):
            return name
    return None


def _counted(tally: Tally, progress: bool) -> Tally:
    if progress:
        return replace(tally, idle=0, stuck=0)
    idle = tally.idle + (1 if tally.starts > 1 else 0)
    return replace(tally, idle=idle, stuck=tally.stuck + 1)


def _wait(rules: Rules, stuck: int, jitter: float) -> float:
    # The exponent is bounded because the range of a float is.
    longest = min(rules.backoff * 2.0 ** min(max(stuck - 1, 0), 60), rules.max_backoff)
    return longest * (0.5 + 0.5 * jitter)


def _no_progress(idle: int) -> str:
    if idle == 0:
        return "the command made no progress"
    if idle == 1:
        return "the restart made no progress"
    return f"{idle} restarts in a row made no progress"


def how(status: int) -> str:
    """An exit status in words."""
    if status > 128:
        try:
            name = signal.Signals(status - 128).name
        except ValueError:
            return f"exit code {status}"
        return f"{name} (out of memory?)" if name == "SIGKILL" else name
    return f"exit code {status}"
