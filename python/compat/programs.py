"""Synalinks' own tests of its `BackupAndRestore`, with rekindle's class in its place.

    .venv-synalinks/bin/python python/compat/programs.py

Three of its seven tests run as they are. The other four never run, as they do not wait for `fit()`:
`python/tests/synalinks/test_synalinks_own_tests.py` has them in the form that was meant, and says
what differs. This prints a line for each of the seven.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "python" / "tests" / "synalinks" / "test_synalinks_own_tests.py"
# The test of ours that has no name of theirs among its parameters.
MEANT = {"test_the_folder_is_removed_when_training_is_complete": "test_model_deleted_case_epoch"}


def names_upstream():
    """The names of the tests in the file that is installed."""
    found = importlib.util.find_spec("synalinks")
    folder = Path(found.submodule_search_locations[0], "src", "callbacks")
    file = folder / "backup_and_restore_test.py"
    return re.findall(r"^    def (test_\w+)", file.read_text(), re.MULTILINE)


def main():
    command = [sys.executable, "-m", "pytest", "-rA", "-q", "-p", "no:cacheprovider", str(TESTS)]
    path = os.pathsep.join(filter(None, [str(ROOT / "inst/python"), os.environ.get("PYTHONPATH")]))
    env = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    outcomes = {}
    for outcome, test, chosen in re.findall(
        r"^(PASSED|FAILED|ERROR) \S+::(\w+)(?:\[(\w+)[^]]*\])?", done.stdout, re.MULTILINE
    ):
        outcomes[MEANT.get(test, chosen)] = (outcome.lower(), test)
    names = names_upstream()
    for name in names:
        outcome, test = outcomes.get(name, ("not run", ""))
        form = "as it is" if test.endswith("as_they_are") else "in the form that was meant"
        print(f"{outcome:<8}{name:<36}{form}")
    failed = [name for name in names if outcomes.get(name, ("",))[0] != "passed"]
    print(f"{len(names)} tests, {len(failed)} failed")
    if failed:
        print(done.stdout[-6000:] + done.stderr[-3000:])
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
