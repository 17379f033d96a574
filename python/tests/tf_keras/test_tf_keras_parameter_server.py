"""A coordinator, a worker and a parameter server: three processes of a ParameterServerStrategy."""

from __future__ import annotations

import json

import pytest

TASKS = {"chief": 1, "worker": 1, "ps": 1}


def report(folder):
    return json.loads((folder / "report.json").read_text())


def told(folder):
    return (folder / "chief-0.log").read_text()


def test_a_coordinator_that_is_killed_resumes_with_the_next_epoch(tmp_path, groups):
    # At the end of an epoch, before rekindle saves it.
    statuses = groups.run(tmp_path, {"kill": ["epoch_end", 2]}, **TASKS)
    assert statuses[0] == -9, told(tmp_path)
    assert groups.run(tmp_path, {}, **TASKS)[0] == 0, told(tmp_path)
    found = report(tmp_path)
    resumed = found["resumed"]
    assert (found["epochs"], found["step"]) == ([0, 1, 2, 3], 24)
    # The checkpoint of the second epoch may still have been in writing.
    assert resumed["epoch"] in (1, 2)
    assert (resumed["batch"], resumed["step"]) == (0, 6 * resumed["epoch"])
    assert not resumed["exact"]
    assert "with ParameterServerStrategy, workers train at their own pace" in resumed["notes"][0]


def test_a_worker_that_dies_and_comes_back_changes_nothing(tmp_path, groups):
    assert groups.run(tmp_path, {}, again="worker", **TASKS)[0] == 0, told(tmp_path)
    found = report(tmp_path)
    assert (found["epochs"], found["step"], found["resumed"]) == ([0, 1, 2, 3], 24, None)


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ({"save_freq": 2}, "save_freq=2"),
        ({"save_freq": "10 min"}, "save_freq='10 min'"),
        ({"save_before_preemption": True}, "save_before_preemption=True"),
    ],
)
def test_what_needs_batches_is_refused(tmp_path, groups, options, given):
    assert groups.run(tmp_path, {"options": options}, **TASKS)[0] == 1
    assert f"at the end of an epoch only, and {given} was given" in told(tmp_path)
    assert not (tmp_path / "backup").exists()
