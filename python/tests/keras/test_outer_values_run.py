"""Callbacks that keep state in global variables, closures and classes: killed and resumed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).with_name("outer_values_run.py")


def run(*arguments):
    done = subprocess.run(
        [sys.executable, RUN, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "InexactWarning" not in done.stderr
    return done.returncode, done.stdout.strip(), done.stderr


def test_a_killed_run_ends_as_one_that_never_was(tmp_path):
    status, expected, errors = run(tmp_path / "never")
    assert status == 0, errors
    assert run(tmp_path / "killed", "die")[0] == 9
    status, found, errors = run(tmp_path / "killed")
    assert status == 0, errors
    assert found == f"{expected.removesuffix('None')}(True, 'verified')"
