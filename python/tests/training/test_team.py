"""Several workers, here threads: what they tell each other, and one checkpoint of all of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

import rekindle
import rekindle.inspection
from rekindle._format.manifest import Manifest, Position
from rekindle._format.snapshot import LoadedCheckpoint, Snapshot
from rekindle._policy.retention import Retention
from rekindle._training import parts, team
from rekindle._training.team_checkpointer import TeamCheckpointer
from rekindle.errors import BrokenTreeError


@pytest.fixture
def backup_dir(tmp_path):
    return tmp_path / "backup"


class Board:
    """Where the threads meet."""

    def __init__(self, count):
        self.barrier = threading.Barrier(count, timeout=60)
        self.said = [None] * count


class ThreadTeam:
    """One of several threads, as a worker."""

    timeout = 0.5

    def __init__(self, board, index):
        self.board, self.index, self.count = board, index, len(board.said)

    def share(self, numbers):
        self.board.said[self.index] = numbers
        self.board.barrier.wait()
        found = list(self.board.said)
        self.board.barrier.wait()
        return found

    gather = share


class State:
    """The state of a fit(): one weight that is the same in each worker, and one of its own."""

    trainer = SimpleNamespace(shared=lambda: {"model/same"})

    def __init__(self, index):
        self.index, self.fails, self.restored = index, False, None

    def take(self):
        if self.fails:
            raise ValueError("this state fails")
        own = np.full(3, self.index, "float32")
        arrays = {"model/same": np.ones(2), "model/own": own, "note": np.arange(2)}
        state = {"random": self.index, "epoch": 1} | ({"first": True} if self.index == 0 else {})
        return Snapshot(arrays, state, Position(7, 1, 0))

    def put(self, save):
        if self.fails:
            raise rekindle.MismatchError("of another model", differences=[])
        self.restored = save


def each(work, count=2):
    """What the work of each worker returned or raised."""
    board = Board(count)

    def outcome(index):
        try:
            return work(ThreadTeam(board, index))
        except Exception as error:  # noqa: BLE001
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(outcome, range(count)))


def saver(one, folder, state=None, *, raises=False):
    folder = folder if isinstance(folder, str) else str(folder)
    state = state or State(one.index)
    return TeamCheckpointer(one, state, folder, "ckpt", Retention(), False, raises), state


def save(folder, count=2):
    def work(one):
        found, _ = saver(one, folder)
        found.open()
        found.restore()
        found.save()
        found.close()

    assert each(work, count) == [None] * count


def test_each_worker_gets_its_own_state_back_from_one_checkpoint(backup_dir):
    save(backup_dir, 3)
    assert [path.name for path in backup_dir.glob("ckpt-*.json")] == ["ckpt-1.json"]

    def work(one):
        found, state = saver(one, backup_dir)
        found.open()
        found.restore()
        found.close()
        return state.restored

    for index, restored in enumerate(each(work, 3)):
        assert restored.arrays["model/own"].tolist() == [index] * 3
        assert restored.arrays["model/same"].tolist() == [1, 1]
        assert restored.arrays["note"].tolist() == [0, 1]
        assert not [name for name in restored.arrays if name.startswith("workers/")]
        state = restored.manifest.state
        assert (state["random"], state["epoch"]) == (index, 1)
        assert ("first" in state) == (index == 0)
        assert restored.manifest.position == Position(7, 1, 0)


def test_what_is_the_same_is_saved_once(backup_dir):
    save(backup_dir)
    names = {one.name for one in rekindle.inspection.arrays(backup_dir)}
    assert names == {"model/same", "model/own", "note", "workers/1/model/own"}


def test_an_error_of_one_worker_ends_all(backup_dir):
    save(backup_dir)

    def work(one):
        found, state = saver(one, backup_dir)
        state.fails = one.index == 1
        found.open()
        try:
            found.restore()
        finally:
            found.close()

    first, second = each(work)
    assert isinstance(second, rekindle.MismatchError)
    assert isinstance(first, rekindle.RestoreError)
    assert "because worker 1 on" in str(first)
    assert "cannot begin: MismatchError: of another model" in str(first)


def test_an_error_in_the_state_of_one_worker_is_an_error_of_the_save_in_all(backup_dir):
    def work(one):
        found, state = saver(one, backup_dir)
        found.open()
        found.restore()
        state.fails = one.index == 1
        try:
            found.save()
        finally:
            found.close()

    first, second = each(work)
    assert isinstance(second, ValueError)
    assert isinstance(first, rekindle.SaveError)
    assert "could not save: ValueError: this state fails" in str(first)


@pytest.mark.parametrize("raises", [False, True])
def test_a_save_that_fails_in_worker_0_is_raised_in_all_workers_or_in_none(
    backup_dir, monkeypatch, raises
):
    def work(one):
        found, _ = saver(one, backup_dir, raises=raises)
        found.open()
        found.restore()
        if one.index == 0:
            problem = rekindle.SaveError("full", directory="x", errno=28, needed=1)
            monkeypatch.setattr(found._writer, "begin", lambda *_: (_ for _ in ()).throw(problem))
        told = []
        for _ in range(2):
            try:
                found.save()
            except rekindle.SaveError as error:
                told.append(str(error))
        found.close()
        return told

    first, second = each(work)
    if raises:
        assert first == ["full"]
        assert len(second) == 1
        assert "worker 0 on" in second[0]
        assert "could not save: SaveError: full" in second[0]
    else:
        # Worker 0 warns, and training continues.
        assert (first, second) == (["full", "full"], [])


def test_a_worker_that_sees_another_folder_is_named_in_all(tmp_path):
    def work(one):
        found, _ = saver(one, str(tmp_path / str(one.index)))
        found.open()
        try:
            found.restore()
        finally:
            found.close()

    for error in each(work):
        assert isinstance(error, rekindle.RestoreError)
        assert "does not see the folder that worker 0 on" in str(error)
    assert not (tmp_path / "1").exists()


def test_a_folder_that_is_locked_is_refused_in_all_workers(backup_dir):
    manager = rekindle.CheckpointManager(rekindle.Checkpoint(a=np.ones(1)), str(backup_dir), 1)
    manager.save()

    def work(one):
        found, _ = saver(one, backup_dir)
        try:
            found.open()
        finally:
            found.close()

    first, second = each(work)
    assert isinstance(first, rekindle.LockError)
    assert isinstance(second, rekindle.RestoreError)
    assert "because worker 0 on" in str(second)
    manager.close()


def test_only_the_clock_of_worker_0_counts_and_a_signal_to_any_worker():
    def work(one):
        agreement = team.Agreement(one)
        return [
            agreement.on(one.index == 0, None),
            agreement.on(one.index == 1, None),
            agreement.on(False, "SIGTERM" if one.index == 1 else None),
        ]

    expected = [(True, None), (False, None), (False, ("SIGTERM", 1))]
    assert each(work) == [expected, expected]


@pytest.mark.parametrize("workers", [1, [1], [{"state": 1, "lacks": []}], [{"state": {}}]])
def test_parts_that_are_made_up_are_refused(workers):
    manifest = Manifest(1, 1, "", 0.0, "", Position(), {}, {}, {"workers": workers})
    with pytest.raises(BrokenTreeError, match="workers"):
        parts.of_worker(LoadedCheckpoint(manifest, {}), 1)


def test_a_worker_that_the_checkpoint_does_not_know_has_the_state_of_worker_0():
    manifest = Manifest(1, 1, "", 0.0, "", Position(), {}, {}, {"random": 5})
    view = parts.of_worker(LoadedCheckpoint(manifest, {"a": np.ones(1)}), 3)
    assert view.manifest.state == {"random": 5}
    assert list(view.arrays) == ["a"]
