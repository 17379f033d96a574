"""Runs the parts that need Keras, by `keras_runs.py`, in a separate process."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class KerasRuns:
    """The results of the parts that need Keras. The first request runs all parts in one process."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        quick = arguments.quick
        self._counts = {
            "fit": 24 if quick else 1,
            "kills": 8 if quick else arguments.kills,
            "preempted": 4 if quick else 50,
            "states": 12 if quick else arguments.states,
            "forged": 4 if quick else 1,
            "leaves": 1500 if quick else arguments.leaves,
        }
        if not quick:
            self._counts["peer"] = 0
        self._asked = [part for part in arguments.only if part in self._counts]
        self._seed = arguments.seed
        self._found: dict[str, Any] | None = None

    def __getitem__(self, part: str) -> Any:
        if self._found is None:
            self._found = self._run()
        return self._found[part]

    def _run(self) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            into = os.path.join(folder, "found.json")
            parts = [f"{part}={self._counts[part]}" for part in self._asked]
            command = [sys.executable, str(HERE / "keras_runs.py"), *parts, "--into", into]
            command += ["--seed", str(self._seed)]
            environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
            # The new process must start clean. It loads the library itself.
            environment.pop("LD_PRELOAD", None)
            done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stderr[-4000:]}")
            return json.loads(Path(into).read_text())
