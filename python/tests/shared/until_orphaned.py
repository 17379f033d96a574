"""Runs a command, and ends it when the process that started this one has ended.

A server that is no program of ours would otherwise outlive tests that were killed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time


def main(command):
    started_by = os.getppid()
    with subprocess.Popen(command) as process:
        while process.poll() is None and os.getppid() == started_by:
            time.sleep(0.2)
        process.kill()
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
