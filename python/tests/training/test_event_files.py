"""rekindle cuts TensorBoard's event files by their run, whatever process and host they name."""

from __future__ import annotations

import os
import socket
import time
from types import SimpleNamespace

import pytest

from rekindle._training.callbacks import event_files
from rekindle._training.callbacks.event_files import EventFiles
from rekindle.errors import BrokenTreeError

HOST, DEAD = socket.gethostname(), 2**22 + 1


@pytest.fixture(autouse=True)
def begun_a_minute_ago(monkeypatch):
    """Makes a file that is 100 seconds old belong to another process, for any test duration."""
    monkeypatch.setattr(event_files, "_STARTED", int(time.time()) - 60)


def name_of(*, host=HOST, pid=None, age=100, folder="train"):
    pid = os.getpid() if pid is None else pid
    made = int(time.time()) - age
    return f"{folder}/events.out.tfevents.{made}.{host}.{pid}.0.v2"


def write(top, name, count):
    path = top / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(b"x" * count)
    return path


def callback(top):
    return SimpleNamespace(log_dir=str(top), _writers={})


@pytest.mark.parametrize(
    ("host", "pid"), [(HOST, DEAD), (HOST, None), (HOST, 1), ("node7", DEAD), ("node7", None)]
)
def test_a_file_of_the_run_is_cut_whatever_its_name_tells(host, pid, tmp_path):
    path = write(tmp_path, name_of(host=host, pid=pid), 100)
    state = event_files.take(callback(tmp_path))
    event_files.check(state)
    write(tmp_path, path.relative_to(tmp_path), 50)
    event_files.put(callback(tmp_path), state)
    assert path.stat().st_size == 100


def test_a_file_of_another_run_is_neither_saved_nor_cut(tmp_path):
    theirs = [
        write(tmp_path, name, 100)
        for name in (name_of(host="node7"), name_of(pid=1), name_of(pid=DEAD), name_of(age=9000))
    ]
    files = EventFiles(callback(tmp_path))
    own = write(tmp_path, name_of(age=0), 10)
    late = write(tmp_path, name_of(host="node8", pid=5, age=0), 10)
    state = files.take()
    assert list(state["written"]) == [str(own.relative_to(tmp_path))]
    for path in (own, late, *theirs):
        write(tmp_path, path.relative_to(tmp_path), 7)
    EventFiles(callback(tmp_path)).put(state)
    assert own.stat().st_size == 10
    assert late.stat().st_size == 17
    assert {path.stat().st_size for path in theirs} == {107}


def test_what_a_restored_run_had_written_is_of_the_run_from_then_on(tmp_path):
    first = write(tmp_path, name_of(host="node7", pid=1), 10)
    state = event_files.take(callback(tmp_path))
    files = EventFiles(callback(tmp_path))
    files.put(state)
    second = write(tmp_path, name_of(age=0), 5)
    assert files.take()["written"] == {
        str(first.relative_to(tmp_path)): 10,
        str(second.relative_to(tmp_path)): 5,
    }


@pytest.mark.parametrize(("pid", "kept"), [(None, 0), (DEAD, 0), (1, 9)])
def test_a_file_begun_after_the_save_is_emptied_when_its_process_is_gone(pid, kept, tmp_path):
    # A resumed run that was killed before its first save leaves this: in a container, with process
    # id 1.
    state = {"time": time.time() - 200.0, "written": {}}
    late = write(tmp_path, name_of(pid=pid), 9)
    elsewhere = write(tmp_path, name_of(pid=pid, folder="other/run"), 9)
    early = write(tmp_path, name_of(pid=pid, age=300), 9)
    event_files.put(callback(tmp_path), state)
    assert late.stat().st_size == kept
    assert elsewhere.stat().st_size == early.stat().st_size == 9


def test_what_this_process_writes_now_is_not_cut(tmp_path):
    now = write(tmp_path, name_of(age=0), 9)
    event_files.put(callback(tmp_path), {"time": time.time() - 200.0, "written": {}})
    assert now.stat().st_size == 9


def test_a_save_of_an_older_rekindle_cuts_files_of_dead_processes_alone(tmp_path):
    dead = write(tmp_path, name_of(pid=DEAD), 9)
    other = write(tmp_path, name_of(host="node7"), 9)
    sizes = {str(path.relative_to(tmp_path)): 5 for path in (dead, other)}
    state = {"time": time.time(), "sizes": sizes}
    event_files.check(state)
    event_files.put(callback(tmp_path), state)
    assert (dead.stat().st_size, other.stat().st_size) == (5, 9)


@pytest.mark.parametrize("kind", ["link", "hard link", "linked folder"])
def test_no_file_elsewhere_is_cut_through_a_link(kind, tmp_path):
    logs, name = tmp_path / "logs", name_of()
    outside = write(tmp_path, os.path.basename(name), 100)
    (logs / "train").mkdir(parents=True)
    if kind == "link":
        os.symlink(outside, logs / name)
    elif kind == "hard link":
        os.link(outside, logs / name)
    else:
        (logs / "train").rmdir()
        os.symlink(tmp_path, logs / "train")
    event_files.put(callback(logs), {"time": 0.0, "written": {name: 0}})
    assert outside.stat().st_size == 100


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {"time": 0.0},
        {"time": "now", "written": {}},
        {"time": float("nan"), "written": {}},
        {"time": 0.0, "written": []},
        {"time": 0.0, "written": {name_of(): -1}},
        {"time": 0.0, "written": {name_of(): 1.5}},
        {"time": 0.0, "written": {"../" + name_of(): 0}},
        {"time": 0.0, "written": {"train/../../" + os.path.basename(name_of()): 0}},
        {"time": 0.0, "written": {"/" + name_of(): 0}},
        {"time": 0.0, "written": {"train/notes.txt": 0}},
        {"time": 0.0, "sizes": {"/etc/passwd": 0}},
    ],
)
def test_a_state_that_was_not_taken_is_refused(state):
    with pytest.raises((BrokenTreeError, KeyError)):
        event_files.check(state)
