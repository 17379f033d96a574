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
from rekindle._supervisor.signals import Signals
from rekindle._supervisor.summary import Summary
from rekindle._supervisor.supervisor import Supervisor
from rekindle.errors import ArgumentError

HELP = "run a command, and restart it after a crash as long as its backup makes progress"

USAGE = "python -m rekindle run [options] -- COMMAND..."

DESCRIPTION = """\
Runs a command, and restarts it when it ends with an exit code other than 0 or is killed, for
example by the system when memory runs out. The command must save and resume by itself, with
rekindle's callback or manager. These report their folders to the supervisor, which is this process.
If a folder cannot be known in this way, name it with --backup.

A start makes progress if the backup is then further than ever before: in steps, or in epochs and
batches, or in the order of saving, depending on its checkpoints. Before a restart the supervisor
waits about --backoff seconds after progress, and twice as long after each further start without
progress. A wait takes a random part of that time, from half to all of it. The supervisor gives up
after --max-idle-restarts restarts in a row without progress, after --max-restarts in all, if the
command cannot be started, and if it fails after training was complete and the backup was removed.

Exit code 75 means that the command was asked to end and has saved (--preempted-code). After
progress the supervisor starts it again at once, and does not count a restart. Without progress it
is a failure like any other.

The supervisor passes SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 on, once each, to all processes
of the command. After SIGTERM, SIGINT or SIGHUP it waits for the command, however long that takes,
and ends with it. Another of these three signals, a second or more later, kills the command. After
SIGUSR1 or SIGUSR2 the supervisor ends with the command only if the command ends with the preempted
code or by that same signal. Signals that are ignored when the supervisor starts, such as SIGHUP
under nohup, stay ignored. If the reader of the output or of a log stalls, the command waits for it,
but signals do not: after SIGTERM, SIGINT or SIGHUP, the supervisor drops output that the reader
does not take within 2 seconds. However the supervisor ends, even by SIGKILL, no process of the
command survives, except those that have left its session.
"""

EPILOG = """\
exit status:
  that of the command's last start: 0 if it has completed, else its exit code, or 128 plus the
  number of the signal that killed it. The supervisor adds:
  75   a signal ended the supervisor between two starts (or --preempted-code)
  126  the command could not be started
  127  there is no such command
  2    the supervisor's own arguments are invalid
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
        help="a folder with checkpoints to watch, in addition to those that the command reports;"
        " can be given several times",
    )
    parser.add_argument(
        "--log",
        metavar="FILE",
        help="append the command's output to a file, or write it to a FIFO that has a reader, and"
        " pass it through; the command's standard output and error are then pipes",
    )
    parser.add_argument(
        "--summary", metavar="FILE", help="write the outcome of each start into a file, as JSON"
    )
    parser.add_argument(
        "--end-with-parent",
        action="store_true",
        help="treat the end of the process that started this one as SIGTERM",
    )
    parser.add_argument("command_line", metavar="COMMAND", nargs=argparse.REMAINDER)


def _add_limits(parser: argparse.ArgumentParser, rules: Rules) -> None:
    parser.add_argument(
        "--max-restarts",
        metavar="N",
        type=_count,
        help="the most restarts after failures; by default there is no limit",
    )
    parser.add_argument(
        "--max-idle-restarts",
        metavar="N",
        type=_count,
        default=rules.max_idle_restarts,
        help="the most restarts in a row without progress (default: %(default)s)",
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
        help="the longest wait in seconds that doubling can reach (default: %(default)g)",
    )
    parser.add_argument(
        "--preempted-code",
        metavar="CODE",
        type=_code,
        default=rules.preempted_code,
        help=(
            "the exit code of a command that saved because it was asked to end (default:"
            " %(default)s)"
        ),
    )


def run(arguments: argparse.Namespace) -> int:
    command = arguments.command_line
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        raise ArgumentError(
            f"There is no command to run. Usage: {USAGE}", argument="command", value=[]
        )
    if os.name != "posix":
        sys.stderr.write("rekindle: `run` needs the signals and process groups of POSIX systems.\n")
        return codes.FAILED
    rules = Rules(
        arguments.max_restarts,
        arguments.max_idle_restarts,
        arguments.backoff,
        arguments.max_backoff,
        arguments.preempted_code,
    )
    folders = [checks.place("backup", folder) for folder in arguments.backup]
    log, file = (
        None if given is None else checks.file_path(name, given)
        for name, given in (("log", arguments.log), ("summary", arguments.summary))
    )
    output = Output(log)
    progress = Progress(folders)
    try:
        with Signals() as signals:
            supervisor = Supervisor(
                command, rules, progress, output, end_with_parent=arguments.end_with_parent
            )
            summary = supervisor.run(signals)
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
