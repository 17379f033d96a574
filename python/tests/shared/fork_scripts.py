"""Imports the modules that are its arguments, and forks a child for each script that it is sent."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import sys
import traceback


def serve(modules):
    for name in modules:
        importlib.import_module(name)
    print(json.dumps(modules), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _child(*job)
        _, raw = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(raw), flush=True)


def _child(script, arguments, folder):
    status = 1
    try:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT), number)
        sys.argv = [script, *arguments]
        sys.path.insert(0, os.path.dirname(script))
        runpy.run_path(script, run_name="__main__")
        status = 0
    except BaseException:  # noqa: BLE001  (the status tells the parent)
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1:])
