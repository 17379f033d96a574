"""Callbacks that keep state in global variables, closures and classes: killed and resumed."""

from __future__ import annotations

from pathlib import Path

import forks

RUN = Path(__file__).with_name("outer_values_run.py")


def run(*arguments):
    status, out, errors = forks.run(RUN, *arguments)
    assert "InexactWarning" not in errors
    return status, out.strip(), errors


def test_a_killed_run_ends_as_one_that_never_was(tmp_path):
    status, expected, errors = run(tmp_path / "never")
    assert status == 0, errors
    assert run(tmp_path / "killed", "die")[0] == 9
    status, found, errors = run(tmp_path / "killed")
    assert status == 0, errors
    assert found == f"{expected.removesuffix('None')}(True, 'verified')"
