"""Starts a server that is a program, waits for its port, and ends it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

SECONDS = 60


def program(command, **settings):
    """Starts a program that is not ours. It ends with these tests."""
    keeper = str(Path(__file__).with_name("until_orphaned.py"))
    return subprocess.Popen(
        [sys.executable, keeper, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C goes to the tests alone
        **settings,
    )


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(port, process):
    last = time.monotonic() + SECONDS
    while time.monotonic() < last and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    end(process)
    raise RuntimeError(f"{process.args[2]} does not answer; its status is {process.wait()}")


def end(process):
    # The session that was started for it: the program, and what it started.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
