"""The folder of a manager: its lock, its files, and damage."""

from __future__ import annotations

import gc
import pathlib
import pickle
import shutil

import numpy as np
import programs
import pytest
from filled import fill

import rekindle
from rekindle import Checkpoint, CheckpointManager, LockError


def test_without_a_restore_it_numbers_on_after_the_highest(home, checkpoint):
    fill(home, 3)
    with CheckpointManager(checkpoint, home, None) as manager:
        assert manager.save() == f"{home}/ckpt-4"
        assert manager.save() == f"{home}/ckpt-5"
        assert checkpoint.save_counter == 5
        assert len(manager.checkpoints) == 5
    assert Checkpoint.read(f"{home}/ckpt-1")["w"].tolist() == [1, 1, 1]


def test_a_number_that_is_asked_for_is_written_over(home, checkpoint):
    fill(home, 2)
    with CheckpointManager(checkpoint, home, None) as manager:
        assert manager.save(checkpoint_number=1) == f"{home}/ckpt-1"
        assert manager.checkpoints == [f"{home}/ckpt-2", f"{home}/ckpt-1"]
    assert Checkpoint.read(f"{home}/ckpt-1")["w"].tolist() == [0, 0, 0]


def test_a_second_manager_in_this_process_is_refused(home, checkpoint):
    with CheckpointManager(checkpoint, home, 3) as manager:
        manager.save()
        second = CheckpointManager(Checkpoint(w=np.zeros(3)), home, 3)
        # Reading without the lock does no harm.
        assert second.checkpoints == manager.checkpoints
        with pytest.raises(LockError):
            second.restore_or_initialize()
        with pytest.raises(LockError):
            second.save()
        with pytest.raises(LockError):
            Checkpoint(w=1).save(f"{home}/other")
        assert second.checkpoint.save_counter == 0
    assert second.save() == f"{home}/ckpt-2"
    second.close()


HOLD = """
    import sys, rekindle
    manager = rekindle.CheckpointManager(rekindle.Checkpoint(step=1), sys.argv[1], 3)
    manager.save()
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_manager_in_another_process_is_refused_and_named_until_that_is_killed(home, checkpoint):
    with programs.start(HOLD, home) as process:
        assert process.stdout.readline() == "held\n"
        manager = CheckpointManager(checkpoint, home, 3)
        with pytest.raises(LockError, match=str(process.pid)) as caught:
            manager.save()
        assert caught.value.pid == process.pid
        process.kill()
    assert manager.save() == f"{home}/ckpt-2"
    manager.close()


def test_a_manager_that_nobody_keeps_lets_go(home, checkpoint):
    manager = CheckpointManager(checkpoint, home, 3, background=True)
    manager.save()
    del manager
    gc.collect()
    with CheckpointManager(checkpoint, home, 3) as other:
        assert other.checkpoints == [f"{home}/ckpt-1"]
        assert other.save() == f"{home}/ckpt-2"


def test_the_block_of_a_with_statement_ends_with_everything_durable_and_the_folder_free(
    home, checkpoint
):
    with CheckpointManager(checkpoint, home, 3, background=True) as manager:
        assert manager.__enter__() is manager
        manager.save()
    assert rekindle.latest_checkpoint(home) == f"{home}/ckpt-1"
    with CheckpointManager(checkpoint, home, 3) as other:
        other.save()
    # The owner may use the manager again after close().
    manager.save()
    manager.sync()
    assert len(manager.checkpoints) == 3
    manager.close()


def end_by_an_error(home, checkpoint):
    with CheckpointManager(checkpoint, home, 3, background=True) as manager:
        manager.save()
        raise KeyError("mine")


def test_an_error_in_the_block_comes_out_as_it_is(home, checkpoint):
    with pytest.raises(KeyError, match="mine"):
        end_by_an_error(home, checkpoint)
    assert rekindle.latest_checkpoint(home) == f"{home}/ckpt-1"
    with CheckpointManager(checkpoint, home, 3) as other:
        other.save()


def test_two_names_in_one_folder_have_their_own_checkpoints(home):
    a, b = Checkpoint(x=1), Checkpoint(y=2)
    for _ in range(2):
        for checkpoint, name in ((a, "a"), (b, "b")):
            with CheckpointManager(checkpoint, home, 1, checkpoint_name=name) as manager:
                manager.save()
                assert manager.checkpoints == [f"{home}/{name}-{checkpoint.save_counter}"]
    assert {path.name for path in pathlib.Path(home).glob("*.json")} == {"a-2.json", "b-2.json"}
    assert rekindle.latest_checkpoint(home) == f"{home}/b-2"
    with CheckpointManager(Checkpoint(x=0), home, 1, checkpoint_name="a") as manager:
        assert manager.latest_checkpoint == f"{home}/b-2"
        assert manager.checkpoints == [f"{home}/a-2"]


def test_what_a_checkpoint_saved_by_itself_is_never_removed(home, checkpoint):
    """This holds even if its name is like the names of the managed checkpoints."""
    fill(home, 2)
    checkpoint.w[:] = 7.0
    assert checkpoint.save(f"{home}/ckpt") == f"{home}/ckpt-3"
    assert checkpoint.save_counter == 3
    with CheckpointManager(checkpoint, home, 1) as manager:
        assert manager.checkpoints == [f"{home}/ckpt-1", f"{home}/ckpt-2"]
        assert manager.latest_checkpoint == f"{home}/ckpt-3"
        for _ in range(3):
            manager.save()
    names = {path.stem for path in pathlib.Path(home).glob("*.json")}
    assert names == {"ckpt-3", "ckpt-6"}
    assert Checkpoint.read(f"{home}/ckpt-3")["w"].tolist() == [7, 7, 7]


def test_a_checkpoint_saves_itself_under_its_counter(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint = Checkpoint(x=1)
    assert [checkpoint.save("final"), checkpoint.save("final")] == ["./final-1", "./final-2"]
    assert checkpoint.save(pathlib.Path(home) / "best") == f"{home}/best-3"
    assert Checkpoint(x=0).restore("final-2").assert_consumed()


def test_a_removed_folder_is_forgotten(home, checkpoint):
    with CheckpointManager(checkpoint, home, 2) as manager:
        manager.save()
        manager.save()
        shutil.rmtree(home)
        assert manager.save() == f"{home}/ckpt-3"
        assert manager.checkpoints == [f"{home}/ckpt-3"]


def test_clearing_removes_this_names_checkpoints_and_no_other(home, checkpoint):
    fill(home, 2)
    with CheckpointManager(checkpoint, home, 2, checkpoint_name="b") as manager:
        manager.save()
        manager.clear()
        assert manager.checkpoints == []
        assert manager.latest_checkpoint == f"{home}/ckpt-2"
    assert {path.stem for path in pathlib.Path(home).glob("*.json")} == {"ckpt-1", "ckpt-2"}


def test_errors_of_a_manager_cross_process_borders_whole(home, checkpoint):
    with CheckpointManager(checkpoint, home, 3) as manager:
        manager.save()
        with pytest.raises(LockError) as caught:
            CheckpointManager(checkpoint, home, 3).save()
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  (our own bytes)
    assert (str(copy), copy.pid) == (str(caught.value), caught.value.pid)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder below the working directory. The test later changes into it."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "elsewhere"


@pytest.mark.parametrize("background", [False, True])
def test_a_relative_folder_stays_where_it_was_when_the_working_directory_changes(
    elsewhere, monkeypatch, checkpoint, background
):
    fill("ckpts", 3)
    told = []
    manager = CheckpointManager(checkpoint, "ckpts", 3, background=background)
    monkeypatch.chdir(elsewhere)
    home = f"{elsewhere.parent}/ckpts"
    assert manager.latest_checkpoint == f"{home}/ckpt-3"
    assert manager.restore_or_initialize() == f"{home}/ckpt-3"
    assert checkpoint.step == 3
    options = type("Options", (), {"experimental_write_callbacks": [told.append]})
    assert manager.save(options=options) == f"{home}/ckpt-4"
    manager.sync()
    assert told == [f"{home}/ckpt-4"]
    assert manager.checkpoints == [f"{home}/ckpt-{number}" for number in (2, 3, 4)]
    assert manager.directory == home
    assert manager.metadata(manager.latest_checkpoint) == {}
    assert Checkpoint(w=np.zeros(3), step=0).restore(manager.latest_checkpoint)
    # In the original working directory, paths have their original form.
    monkeypatch.chdir(elsewhere.parent)
    assert manager.latest_checkpoint == "ckpts/ckpt-4"
    assert manager.directory == "ckpts"
    manager.clear()
    assert not list(elsewhere.iterdir())
    assert not pathlib.Path(home).exists()


def test_a_manager_outlives_the_working_directory_it_was_made_in(
    elsewhere, monkeypatch, checkpoint
):
    home = elsewhere.parent / "ckpts"
    monkeypatch.chdir(elsewhere)
    with CheckpointManager(checkpoint, "../ckpts", 3) as manager:
        elsewhere.rmdir()
        assert manager.save() == f"{home}/ckpt-1"
        assert manager.latest_checkpoint == f"{home}/ckpt-1"
        monkeypatch.chdir(home)


def test_a_prefix_counts_from_the_working_directory_of_the_save(elsewhere, monkeypatch, checkpoint):
    assert checkpoint.save("ckpts/final") == "ckpts/final-1"
    monkeypatch.chdir(elsewhere)
    assert checkpoint.save("ckpts/final") == "ckpts/final-2"
    assert (elsewhere / "ckpts" / "final-2.json").is_file()
    assert (elsewhere.parent / "ckpts" / "final-1.json").is_file()
