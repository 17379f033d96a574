"""Runs scripts in children of a process that has only imported libraries, which saves the imports.

A run that resumes at the end of a test should be a newly started process all the same.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

_parents: dict[tuple[str, ...], subprocess.Popen] = {}

# Keras' set_random_seed() imports the last two, whatever the backend is.
_KERAS = ("keras", "rekindle.keras", "tensorflow", "torch")


def run(script, *arguments, modules=_KERAS):
    """Runs a script in a child. Returns its exit status, its output and its errors.

    Args:
        script: The path of the script.
        arguments: Its arguments.
        modules: What the parent imports, once.
    """
    if modules not in _parents:
        _parents[modules] = _start(modules)
    parent = _parents[modules]
    with tempfile.TemporaryDirectory() as folder:
        job = [str(script), [str(one) for one in arguments], folder]
        parent.stdin.write(json.dumps(job) + "\n")
        parent.stdin.flush()
        status = int(parent.stdout.readline())
        return status, *(Path(folder, name).read_text() for name in ("out", "err"))


def _start(modules):
    parent = subprocess.Popen(
        [sys.executable, "-W", "ignore", __file__, *modules],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3"),
    )
    atexit.register(_end, parent)
    return parent


def _end(parent):
    parent.stdin.close()
    parent.wait()
    parent.stdout.close()


def _serve(modules):
    for name in modules:
        importlib.import_module(name)
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
    _serve(sys.argv[1:])
