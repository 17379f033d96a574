"""Fixtures of the tests of `python -m rekindle`."""

from __future__ import annotations

import pytest

from rekindle._cli.main import main


@pytest.fixture
def call(home, capsys):
    """Runs a command on the folder at `home`. Returns exit code, output and error output."""

    def run(command, *more):
        code = main([command, str(home), *more])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
