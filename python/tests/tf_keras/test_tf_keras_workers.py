"""Two workers of a MultiWorkerMirroredStrategy, two processes: killed, and resumed exactly.

The whole table is made by `python/exact/keras2/workers.py`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time

import pytest
from small_tf_fit import EXACT

sys.path.append(str(EXACT))
import group


@pytest.fixture(scope="module")
def never(groups, tmp_path_factory):
    """The reports of both workers of a run that is never interrupted."""
    folder = tmp_path_factory.mktemp("never")
    assert groups.run(folder, {}) == [0, 0], told(folder)
    return reports(folder)


def reports(folder):
    return [json.loads((folder / f"report-{index}.json").read_text()) for index in (0, 1)]


def resumed(folder):
    return [json.loads((folder / f"beside-{i}.json").read_text())["resumed"] for i in (0, 1)]


def same(report):
    """What is the same for all workers. Worker 0 alone keeps notes of what it sees."""
    return {key: one for key, one in report.items() if key not in ("evidence", "compared")}


def told(folder):
    return [(folder / f"worker-{index}.log").read_text() for index in (0, 1)]


def test_each_worker_has_state_of_its_own(never):
    """Otherwise the other tests would say little."""
    first, second = never
    assert first["draws"] != second["draws"]
    differing = [n for n, value in first["variables"].items() if second["variables"][n] != value]
    assert {name.rpartition("/")[2] for name in differing} >= {"moving_mean", "moving_variance"}
    assert not [name for name in differing if name.startswith("optimizer/")]


KILLED = {
    "worker 1": ({"at": [1, "begin", 1, 3]}, [1, -9]),
    "worker 0, in the validation": ({"at": [0, "validation", 1]}, [-9, 1]),
    # Worker 1 is beyond a checkpoint that never becomes whole.
    "worker 0, while it writes": ({"at": [0, "begin", 0, 5], "late": 5}, [-9, 1]),
}


@pytest.mark.parametrize(("config", "statuses"), KILLED.values(), ids=KILLED)
def test_a_killed_worker_and_the_others_resume_exactly(tmp_path, groups, never, config, statuses):
    assert groups.run(tmp_path, config) == statuses, told(tmp_path)
    assert groups.run(tmp_path, {}) == [0, 0], told(tmp_path)
    assert reports(tmp_path) == never
    first, second = resumed(tmp_path)
    assert first["evidence"] in ("verified", "unverified")
    assert same(first) == same(second)
    assert first["exact"], first["notes"]
    if "late" in config:
        assert first["step"] == 2


def test_a_signal_to_one_worker_stops_all_at_one_step_with_code_75(tmp_path, groups, never):
    options = {"save_freq": "epoch", "save_before_preemption": True, "verbose": 1}
    config = {"at": [1, "begin", 1, 3], "what": "SIGTERM", "options": options}
    assert groups.run(tmp_path, config) == [75, 75], told(tmp_path)
    for text in told(tmp_path):
        assert "Worker 1 received SIGTERM: the run is saved as" in text
    assert groups.run(tmp_path, {"options": options}) == [0, 0], told(tmp_path)
    assert [one["step"] for one in resumed(tmp_path)] == [10, 10]
    assert reports(tmp_path) == never


def test_the_clock_of_worker_0_decides_for_all(tmp_path, groups, never):
    config = {"options": {"save_freq": "0.001 s"}}
    killed = config | {"at": [0, "begin", 2, 3]}
    assert groups.run(tmp_path, killed) == [-9, 1], told(tmp_path)
    assert groups.run(tmp_path, config) == [0, 0], told(tmp_path)
    first, second = resumed(tmp_path)
    assert same(first) == same(second)
    assert reports(tmp_path) == never


def test_an_error_in_one_worker_ends_all(tmp_path, groups):
    config = {"at": [0, "begin", 1, 3], "what": "raise"}
    assert groups.run(tmp_path, config) == [1, 1], told(tmp_path)
    assert "this worker fails on purpose" in told(tmp_path)[0]


def test_a_worker_that_hangs_is_named(tmp_path, groups):
    config = {"at": [1, "begin", 1, 3], "what": "sleep", "options": {"worker_timeout": "5 s"}}
    assert groups.run(tmp_path, config, rest=0) == [1, "killed"], told(tmp_path)
    pattern = r"rekindle: worker 1 on '.+' has not come to its next training step for \d"
    assert re.search(pattern, told(tmp_path)[0])


def test_a_folder_that_is_not_shared_is_told_to_both(tmp_path, groups):
    backups = {str(index): str(tmp_path / f"backup-{index}") for index in (0, 1)}
    config = {"backups": backups, "options": {"worker_timeout": "1 s"}}
    assert groups.run(tmp_path, config) == [1, 1]
    for text in told(tmp_path):
        assert re.search(r"worker 1 on '.+' does not see the folder that worker 0 on '.+'", text)
        assert backups["0"] in text
        assert backups["1"] in text
    # Worker 1 makes nothing.
    assert not (tmp_path / "backup-1").exists()


def test_what_does_not_fit_is_refused_in_all_workers(tmp_path, groups):
    assert groups.run(tmp_path, {"at": [0, "begin", 1, 3]}) == [-9, 1], told(tmp_path)
    assert groups.run(tmp_path, {"options": {"extra_state": {}}, "batch": 4}) == [1, 1]
    for text in told(tmp_path):
        assert "batch size: expected 4, found 8 in the backup" in text


def test_rekindle_run_starts_both_again(tmp_path, never):
    addresses = group.cluster(worker=2)
    config = json.dumps({"folder": str(tmp_path), "at": [1, "begin", 1, 3], "once": True})
    run = [sys.executable, "-m", "rekindle", "run", "--backoff", "1", "--"]
    children = [
        subprocess.Popen(
            [*run, sys.executable, str(EXACT / "worker.py"), config],
            env=os.environ | {"TF_CONFIG": group.tf_config(addresses, "worker", index)},
            cwd=EXACT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index in (0, 1)
    ]
    until = time.monotonic() + 300
    try:
        outputs = [one.communicate(timeout=until - time.monotonic())[0] for one in children]
    finally:
        for one in children:
            one.terminate()
    assert [one.returncode for one in children] == [0, 0], outputs
    assert "start 2" in outputs[0]
    assert "start 2" in outputs[1]
    assert reports(tmp_path) == never
