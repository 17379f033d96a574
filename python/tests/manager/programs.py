"""Runs programs in separate processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

ENVIRONMENT = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", JAX_PLATFORMS="cpu")


def start(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(code, *arguments):
    """Runs the program, and returns its output."""
    process = start(code, *arguments)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return out
