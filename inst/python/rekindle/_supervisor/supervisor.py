"""Starts a command, waits for it, and starts it again for as long as the rules allow."""

from __future__ import annotations

import os
import random
import select
import shlex
import signal
import time
from collections.abc import Sequence

from rekindle._supervisor import policy
from rekindle._supervisor.child import Child, Guard
from rekindle._supervisor.output import Output
from rekindle._supervisor.policy import Decision, Ended, Rules, Tally
from rekindle._supervisor.progress import Progress
from rekindle._supervisor.signals import Signals
from rekindle._supervisor.summary import Start, Summary, duration

# In seconds. A signal to a process often comes to its group as well. A signal is a second one only
# if it comes later than this.
_SAME = 1.0


class Supervisor:
    """Runs one command.

    Args:
        command: The program and its arguments.
        rules: The rules for restarts.
        progress: Finds out whether the command's backup moves forward.
        output: Takes the command's output.
        end_with_parent: Whether to take the end of the process that started this one as SIGTERM.
    """

    def __init__(
        self,
        command: Sequence[str],
        rules: Rules,
        progress: Progress,
        output: Output,
        *,
        end_with_parent: bool = False,
    ) -> None:
        self._command = list(command)
        self._rules = rules
        self._progress = progress
        self._output = output
        self._parent = os.getppid() if end_with_parent else None
        self._asked_at: float | None = None
        self._passed_on: set[int] = set()
        self._child: Child | None = None
        self._summary = Summary(self._command)

    def run(self, signals: Signals) -> Summary:
        """Runs the command until it has completed, was asked to end, or makes no progress."""
        tally = Tally()
        self._guard = Guard(self._progress.report)
        try:
            while True:
                decision = self._once(signals, tally)
                tally = decision.tally
                if decision.outcome != "again":
                    return self._ended(decision)
                self._output.say(_again(decision))
                asked = self._sleep(signals, decision.wait)
                if asked is not None:
                    return self._ended(asked)
        finally:
            # Even after an error of our own, no process may be left running.
            if self._child is not None:
                self._child.end()
            self._guard.close()

    def _once(self, signals: Signals, tally: Tally) -> Decision:
        self._passed_on = set()
        place = self._progress.newest
        after = f", from {place.in_words()}" if place is not None else ""
        self._output.header(f"start {tally.starts}{after}: {shlex.join(self._command)}")
        began, clock = time.time(), time.monotonic()
        was_started, status = self._start_and_wait(signals)
        seconds = time.monotonic() - clock
        progress = self._progress.look()
        place = self._progress.newest
        self._output.header(f"{policy.how(status)} after {duration(seconds)}")
        self._summary.starts.append(Start(began, seconds, status, progress, place))
        self._summary.status, self._summary.was_started = status, was_started
        ended = Ended(
            status, progress, self._progress.is_complete, frozenset(self._passed_on), was_started
        )
        return policy.decide(self._rules, tally, ended, random.random())

    def _start_and_wait(self, signals: Signals) -> tuple[bool, int]:
        try:
            self._child = Child(self._command, self._progress.variables, self._output, self._guard)
        except OSError as error:
            self._output.say(f"{self._command[0]} cannot be started: {error.strerror}")
            return False, 127 if isinstance(error, FileNotFoundError) else 126
        status = self._child.wait(signals, self._pass_on, self._look_at_parent, self._is_asked)
        self._child = None
        return True, status

    def _pass_on(self, number: int) -> None:
        assert self._child is not None
        name = signal.Signals(number).name
        if name in policy.ENDING:
            now = time.monotonic()
            if self._asked_at is not None:
                if now - self._asked_at < _SAME:
                    return
                self._child.send(signal.SIGKILL)
                self._output.say(
                    f"{name}, the second signal to end: the supervisor kills the command"
                )
                return
            self._asked_at = now
            self._output.ends = True
        self._passed_on.add(number)
        self._child.send(number)
        self._output.say(f"passed {name} on to the command")

    def _look_at_parent(self) -> None:
        if self._parent is not None and os.getppid() != self._parent:
            self._parent = None
            self._output.say("the process that started this one has ended")
            self._pass_on(signal.SIGTERM)

    def _is_asked(self, status: int) -> bool:
        return policy.asked_by(self._passed_on, status, self._rules.preempted_code) is not None

    def _sleep(self, signals: Signals, seconds: float) -> Decision | None:
        """Waits between two starts. Returns the decision if a signal ends the wait, or ``None``."""
        until = time.monotonic() + seconds
        while True:
            taken = signals.taken()
            if self._parent is not None and os.getppid() != self._parent:
                taken = [signal.SIGTERM]
            if taken:
                # Nothing is lost: the command can resume from the last checkpoint.
                self._summary.status = self._rules.preempted_code
                name = signal.Signals(taken[0]).name
                return Decision("stopped", f"{name} ended the supervisor between two starts")
            left = until - time.monotonic()
            if left <= 0:
                return None
            select.select([signals.fd], [], [], min(left, 1.0))

    def _ended(self, decision: Decision) -> Summary:
        summary = self._summary
        summary.outcome, summary.why = decision.outcome, decision.why
        self._output.ends |= decision.outcome == "stopped"
        summary.directory = self._progress.newest_in
        summary.folders = self._progress.directories
        return summary


def _again(decision: Decision) -> str:
    number = decision.tally.starts
    if decision.wait < 0.05:
        return f"{decision.why}; start {number} follows at once"
    return f"{decision.why}; start {number} follows in {duration(decision.wait)}"
