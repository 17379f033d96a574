"""Runs scripts in children of a process that has only imported libraries, which saves the imports.

A run that resumes at the end of a test should be a newly started process all the same.
"""

from __future__ import annotations

import atexit
import functools
import os
import sys
import tempfile
from pathlib import Path

from exact.forker import Forker

# Keras' set_random_seed() imports the last two, whatever the backend is.
_KERAS = ("keras", "rekindle.keras", "tensorflow", "torch")


def run(script, *arguments):
    """Runs a script of Keras in a child. Returns its exit status, its output and its errors.

    Args:
        script: The path of the script.
        arguments: Its arguments.
    """
    with tempfile.TemporaryDirectory() as folder:
        status = _parent().run([str(script), [str(one) for one in arguments], folder])
        return status, *(Path(folder, name).read_text() for name in ("out", "err"))


@functools.cache
def _parent():
    script = str(Path(__file__).with_name("fork_scripts.py"))
    made = Forker(
        [sys.executable, "-W", "ignore", script, *_KERAS],
        dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3"),
    )
    atexit.register(made.close)
    return made
