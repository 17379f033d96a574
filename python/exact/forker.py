"""The pipe to a process that has imported libraries, and forks a child for each job it is sent."""

from __future__ import annotations

import json
import subprocess


class Forker:
    """Such a process.

    Args:
        command: Starts it. It prints a line of JSON, and after each job a child's exit status.
        env: Its environment.
        cwd: The folder in which it runs.

    Attributes:
        known: What it says of itself in the first line.
    """

    def __init__(self, command, env, cwd=None):
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
            cwd=cwd,
        )
        self.known = json.loads(self._process.stdout.readline())

    def run(self, job):
        """Runs a child, and returns its exit status: negative for the signal that killed it."""
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
