"""Imports the modules that are its arguments, and forks a child for each script that it is sent."""

from __future__ import annotations

import atexit
import importlib
import json
import os
import runpy
import sys
import threading
import traceback


def serve(modules):
    for name in modules:
        importlib.import_module(name)
    print(json.dumps(modules), flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _child(*json.loads(line))
        _, raw = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(raw), flush=True)


def _child(script, arguments, folder):
    """Runs the script as `python SCRIPT ARGUMENTS` does, and ends this process."""
    status = 1
    try:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = [script, *arguments]
        sys.path[0] = os.path.dirname(script)
        runpy.run_path(script, run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  (the status tells the parent)
        traceback.print_exc()
    finally:
        _end(status)


def _end(status):
    """The end of a Python process, but for the removal of all modules, which takes seconds."""
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
    finally:
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1:])
