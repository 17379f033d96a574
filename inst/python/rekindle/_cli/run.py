"""``python -m rekindle run``: runs a command again and again until it has done its work."""

from __future__ import annotations

import argparse
import json
import os
import sys

from rekindle._base import checks
from rekindle._cli import codes, run_summary
from rekindle._supervisor.output import Output, open_to_write, why_not_opened
from rekindle._supervisor.policy import Rules
from rekindle._supervisor.progress import Progress
from rekindle._supervisor.runner import Runner
from rekindle._supervisor.signals import Signals
from rekindle._supervisor.summary import Summary
from rekindle.errors import ArgumentError

HELP = "run a command again after a crash, for as long as its backup moves forward"

USAGE = "python -m rekindle run [options] -- COMMAND..."

DESCRIPTION = """\
Runs a command, and runs it again when it ends with another exit code than 0 or is killed, as by the
system when memory runs out. The command is one that backs itself up and resumes, by rekindle's
callback or manager; which folders those use it tells by itself. When a folder cannot be known in
this way, --backup names it.

A start makes progress when the backup is then further than it ever was: by steps, or by epochs and
batches, or by the order of saving, whichever its saves have. Before a start the runner waits, about
--backoff seconds after progress, and twice as long after each further start without; each time
between half of that and all of it, by chance. It gives up after --max-idle-restarts restarts in a
row without progress, after --max-restarts in all, when the command cannot be started, and when it
fails after training was complete and the backup was removed.

The exit code 75 means that the command was asked to end and has saved (--preempted-code). After
progress it is started again at once, and that does not count as a restart. Without progress it is a
failure like any other.

SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 are passed on, once each, to all processes of the
command. After SIGTERM, SIGINT or SIGHUP the runner waits for the command, for as long as that
takes, and ends with it; a second one of these, a second or more later, kills the command. After
SIGUSR1 and SIGUSR2 the runner ends with the command if that ends with the preempted code or by that
very signal. Signals that are ignored when the runner starts, as SIGHUP is under nohup, stay
ignored. A reader of the output, or a log, that stands still holds up the command, and never a
signal: after SIGTERM, SIGINT or SIGHUP, what it does not take for 2 seconds is left out there.
However the runner ends, also by SIGKILL, no process of the command is left, but for those
that have left its session.
"""

EPILOG = """\
exit status:
  that of the command's last start: 0 when it has completed, else its exit code, or 128 and the
  number of the signal that killed it; and besides
  75   a signal asked for the end between two starts (or --preempted-code)
  126  the command could not be started
  127  there is no such command
  2    the runner's own arguments are wrong
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    rules = Rules()
    parser.usage = USAGE
    _add_limits(parser, rules)
    parser.add_argument(
        "--backup",
        metavar="DIR",
        action="append",
        default=[],
        help="a folder with saves to look at, beside those that the command tells of; can be given"
        " several times",
    )
    parser.add_argument(
        "--log",
        metavar="FILE",
        help="append the command's output to a file, or write it to a FIFO that is read, and pass"
        " it through; standard output and error are then pipes for the command",
    )
    parser.add_argument(
        "--summary", metavar="FILE", help="write what became of each start into a file, as JSON"
    )
    parser.add_argument(
        "--end-with-parent",
        action="store_true",
        help="take the end of the process that started this one as SIGTERM",
    )
    parser.add_argument("command_line", metavar="COMMAND", nargs=argparse.REMAINDER)


def _add_limits(parser: argparse.ArgumentParser, rules: Rules) -> None:
    parser.add_argument(
        "--max-restarts",
        metavar="N",
        type=_count,
        help="restarts after failures in all; by default there is no limit",
    )
    parser.add_argument(
        "--max-idle-restarts",
        metavar="N",
        type=_count,
        default=rules.max_idle_restarts,
        help="restarts in a row without progress (default: %(default)s)",
    )
    parser.add_argument(
        "--backoff",
        metavar="S",
        type=_seconds,
        default=rules.backoff,
        help="seconds before a restart, doubled without progress (default: %(default)g)",
    )
    parser.add_argument(
        "--max-backoff",
        metavar="S",
        type=_seconds,
        default=rules.max_backoff,
        help="the most seconds that doubling makes of it (default: %(default)g)",
    )
    parser.add_argument(
        "--preempted-code",
        metavar="CODE",
        type=_code,
        default=rules.preempted_code,
        help="exit code of a command that saved because it was asked to end (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    command = arguments.command_line
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        raise ArgumentError(
            f"There is no command to run. The form is: {USAGE}", argument="command", value=[]
        )
    if os.name != "posix":
        sys.stderr.write("rekindle: run needs the signals and process groups of POSIX systems.\n")
        return codes.FAILED
    rules = Rules(
        arguments.max_restarts,
        arguments.max_idle_restarts,
        arguments.backoff,
        arguments.max_backoff,
        arguments.preempted_code,
    )
    folders = [checks.path("backup", folder) for folder in arguments.backup]
    log, file = (
        None if given is None else checks.path(name, given, checks.A_FILE)
        for name, given in (("log", arguments.log), ("summary", arguments.summary))
    )
    output = Output(log)
    progress = Progress(folders)
    try:
        with Signals() as signals:
            runner = Runner(
                command, rules, progress, output, end_with_parent=arguments.end_with_parent
            )
            summary = runner.run(signals)
            for line in run_summary.lines(summary):
                output.say(line)
            if file is not None:
                _write(summary, file, output)
            output.finish(lambda: bool(signals.taken()))
    finally:
        progress.close()
    return summary.status


def _write(summary: Summary, path: str, output: Output) -> None:
    # The command has ended. Its status matters more than a summary that cannot be written.
    try:
        with open(open_to_write(path, os.O_TRUNC), "w", encoding="utf-8") as file:
            file.write(json.dumps(run_summary.as_json(summary), indent=2) + "\n")
    except OSError as error:
        output.say(f"the summary {path!r} cannot be written: {why_not_opened(error, path)}")


def _count(value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 up, not {value!r}")
    return int(value)


def _seconds(value: str) -> float:
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of seconds from 0 up, not {value!r}")
    return found


def _code(value: str) -> int:
    found = _count(value)
    if not 1 <= found <= 255:
        raise argparse.ArgumentTypeError(f"must be an exit code from 1 to 255, not {value!r}")
    return found
