"""Damaged and removed checkpoints of a manager: the previous one is restored, and reported."""

from __future__ import annotations

import pytest
from filled import fill, flip

import rekindle
from rekindle import CheckpointManager


def restored(home, checkpoint):
    """Restores with a new manager. Returns the path, `step` and the first value of `w`."""
    with CheckpointManager(checkpoint, home, None) as manager:
        assert manager.latest_checkpoint == rekindle.latest_checkpoint(home)
        path = manager.restore_or_initialize()
        return path and path.removeprefix(f"{home}/"), checkpoint.step, checkpoint.w[0]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: flip(folder / "ckpt-3.safetensors"),
        lambda folder: flip(folder / "ckpt-3.json", 40),
        lambda folder: (folder / "ckpt-3.safetensors").unlink(),
        lambda folder: (folder / "ckpt-3.safetensors").write_bytes(b""),
        lambda folder: (folder / "ckpt-3.json").write_bytes(b""),
        lambda folder: (folder / "ckpt-3.json").write_bytes(b"\0" * 900),
    ],
    ids=["bit of a pack", "bit of a manifest", "no pack", "empty pack", "empty", "zeroes"],
)
def test_a_damaged_newest_is_said_out_loud_set_aside_and_the_one_before_taken(
    home, checkpoint, damage
):
    folder = fill(home, 3)
    damage(folder)
    with pytest.warns(
        rekindle.DamageWarning, match="Checkpoint 3 .* quarantined as .* checkpoint 2 is used"
    ):
        assert restored(home, checkpoint) == ("ckpt-2", 2, 2.0)
    assert (folder / "ckpt-3.json.damaged").exists()
    with CheckpointManager(checkpoint, home, None) as manager:
        assert manager.checkpoints == [f"{home}/ckpt-1", f"{home}/ckpt-2"]


@pytest.mark.parametrize("gone", ["ckpt-3.*", "ckpt-[23].*"])
def test_newest_files_deleted_by_hand_leave_the_one_before(home, checkpoint, gone):
    folder = fill(home, 3)
    for path in folder.glob(gone):
        path.unlink()
    left = 2 if gone == "ckpt-3.*" else 1
    assert restored(home, checkpoint) == (f"ckpt-{left}", left, float(left))


def test_all_deleted_by_hand_is_a_folder_with_nothing(home, checkpoint):
    for path in fill(home, 3).glob("ckpt-*"):
        path.unlink()
    assert restored(home, checkpoint) == (None, 0, 0.0)


@pytest.mark.parametrize(
    "content",
    [None, b"", b"\0" * 50, b"# rekindle", b"\xff\xfegarbage"],
    ids=["removed", "empty", "zeroes", "cut off", "garbage"],
)
def test_whatever_becomes_of_the_state_file_nothing_is_lost(home, checkpoint, content):
    path = fill(home, 3) / "checkpoint"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert restored(home, checkpoint) == ("ckpt-3", 3, 3.0)
    with CheckpointManager(checkpoint, home, 2) as manager:
        assert len(manager.checkpoints) == 3
        manager.save()
        assert manager.checkpoints == [f"{home}/ckpt-3", f"{home}/ckpt-4"]


def test_when_all_are_damaged_nothing_is_begun_anew(home, checkpoint):
    folder = fill(home, 2)
    for path in folder.glob("*.safetensors"):
        flip(path)
    there = {path.name: path.read_bytes() for path in folder.glob("ckpt-*")}
    called = []
    manager = CheckpointManager(checkpoint, home, None, init_fn=lambda: called.append(1))
    with pytest.raises(rekindle.DamageError, match="whole") as caught:
        manager.restore_or_initialize()
    assert len(caught.value.damages) == 2
    assert called == []
    with pytest.raises(rekindle.DamageError):
        _ = manager.latest_checkpoint
    manager.close()
    assert {path.name: path.read_bytes() for path in folder.glob("ckpt-*")} == there
