"""The parser, and the table of commands."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from rekindle import inspection
from rekindle._base.version import __version__
from rekindle._cli import arguments as shared
from rekindle._cli import codes, export, history, info, report, run, verify, watch
from rekindle.errors import DamageError, RekindleError, RestoreError

# A command is a module with HELP, add_arguments(parser) and run(arguments), which returns the exit
# code. Its own help shows DESCRIPTION above the arguments. The commands in this table read a
# folder: they also have the arguments DIR and --json.
_LOOKS: dict[str, ModuleType] = {
    "info": info,
    "verify": verify,
    "history": history,
    "export": export,
    "watch": watch,
    "report": report,
}

# Other commands, which define all their arguments themselves.
_OTHERS: dict[str, ModuleType] = {
    "run": run,
}


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m rekindle",
        description="Inspect a backup folder of rekindle, or supervise a command that writes one.",
        epilog=codes.HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"rekindle {__version__}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in (_LOOKS | _OTHERS).items():
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=getattr(module, "DESCRIPTION", module.HELP),
            epilog=getattr(module, "EPILOG", codes.HELP if name in _LOOKS else None),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name in _LOOKS:
            shared.add_common(command)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Returns its exit code."""
    _open_closed_streams()
    arguments = parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except RekindleError as error:
        sys.stderr.write(f"rekindle: {error}\n")
        return _code(error, arguments)
    except BrokenPipeError:
        # The reader, such as `head`, has closed the pipe. Python would complain again at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return codes.FAILED
    return code


def _open_closed_streams() -> None:
    """Opens the null device in place of each standard stream that is closed.

    Else the next file that is opened gets the stream's number, and the text for the stream is
    written into this file.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            # The null device gets the lowest free number: this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    # Python makes no object for such a stream.
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _code(error: RekindleError, arguments: argparse.Namespace) -> int:
    directory = getattr(arguments, "directory", None)
    if type(error) is RestoreError and error.errno is None and directory is not None:
        found = inspection.info(directory)
        return codes.FAILED if found.saves else codes.NO_SAVE
    if isinstance(error, DamageError) and getattr(arguments, "save", "latest") != "latest":
        return codes.of_damages(check.damage for check in inspection.verify(arguments.directory))
    return codes.of_error(error)
