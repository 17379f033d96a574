"""Resumes a backup that an earlier version made. `python/tests/golden/make.py` says how."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import every_kind
import pytest

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("version", ["state-3"])
def test_the_run_goes_on_where_it_was_killed_with_all_its_state(version, tmp_path):
    shutil.copytree(GOLDEN / version / "tf_keras", tmp_path / "backup")
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("golden_run.py"), tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found, expected = json.loads(done.stdout), every_kind.made()
    for epoch in range(4):
        every_kind.change(expected, epoch)
    assert found["values"] == every_kind.told(expected)
    assert found["iterations"] == 4 * 5
    assert found["history"] == {"loss": 4, "mae": 4}
    assert found["report"] == {"exact": True, "epoch": 2, "batch": 2}
