"""Which checkpoints are kept, in TensorFlow and here."""

from __future__ import annotations

import os
import pathlib
import shutil

import pytest
from systems import names, value

HOUR = 3600.0


def test_only_the_newest_stay(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home, 2)
    kept = []
    for _ in range(4):
        manager.save()
        kept.append((names(manager.checkpoints), system.on_disk(home)))
    assert kept == [
        (["ckpt-1"], {"ckpt-1"}),
        (["ckpt-1", "ckpt-2"], {"ckpt-1", "ckpt-2"}),
        (["ckpt-2", "ckpt-3"], {"ckpt-2", "ckpt-3"}),
        (["ckpt-3", "ckpt-4"], {"ckpt-3", "ckpt-4"}),
    ]


def test_none_keeps_all(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home, None)
    for _ in range(8):
        manager.save()
    expected = [f"ckpt-{n}" for n in range(1, 9)]
    assert names(manager.checkpoints) == expected
    assert system.on_disk(home) == set(expected)
    assert names(system.manager(system.checkpoint(v=v), home, None).checkpoints) == expected


@pytest.mark.parametrize("count", [0, -1])
def test_nothing_to_keep_is_refused(system, v, home, count):
    with pytest.raises(ValueError, match="max_to_keep") as caught:
        system.manager(system.checkpoint(v=v), home, count)
    expected = f"Expected a positive integer or `None` for `max_to_keep`, got {count}."
    assert str(caught.value) == expected


def test_a_new_manager_knows_the_checkpoints_of_the_one_before(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home, 3)
    for _ in range(3):
        manager.save()
    again = system.manager(system.checkpoint(v=v), home, 3)
    assert again.checkpoints == manager.checkpoints
    assert again.latest_checkpoint == manager.latest_checkpoint
    again.restore_or_initialize()
    again.save()
    assert names(again.checkpoints) == ["ckpt-2", "ckpt-3", "ckpt-4"]
    assert system.on_disk(home) == {"ckpt-2", "ckpt-3", "ckpt-4"}


def test_a_lower_max_to_keep_takes_effect_at_the_next_save(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home, 4)
    for _ in range(4):
        manager.save()
    again = system.manager(system.checkpoint(v=v), home, 1)
    assert len(again.checkpoints) == 4
    again.restore_or_initialize()
    assert len(again.checkpoints) == len(system.on_disk(home)) == 4
    again.save()
    assert names(again.checkpoints) == ["ckpt-5"]
    assert system.on_disk(home) == {"ckpt-5"}


def test_a_higher_max_to_keep_lets_them_become_more(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home, 1)
    manager.save()
    manager.save()
    again = system.manager(system.checkpoint(v=v), home, 2)
    again.restore_or_initialize()
    again.save()
    again.save()
    assert names(again.checkpoints) == ["ckpt-3", "ckpt-4"]


@pytest.mark.parametrize("anew", [False, True], ids=["one manager", "a new one for each save"])
def test_one_and_a_half_hours(system, v, home, clock, anew):
    """The last preserved time outlives the manager. Preserved checkpoints are not listed."""
    rules = {"max_to_keep": 2, "keep_checkpoint_every_n_hours": 1.5}
    checkpoint = system.checkpoint(v=v)
    manager = system.manager(checkpoint, home, **rules)
    clock.now = 10_000.0
    for seconds in (0.0, 3610.0, 0.2 * HOUR, 0.5 * HOUR, 0.5 * HOUR, 10.0):
        clock.now += seconds
        if anew and clock.now > 10_000.0:
            manager = system.manager(checkpoint, home, **rules)
        manager.save()
    assert names(manager.checkpoints) == ["ckpt-5", "ckpt-6"]
    assert system.on_disk(home) == {"ckpt-1", "ckpt-4", "ckpt-5", "ckpt-6"}
    again = system.manager(checkpoint, home, **rules)
    assert names(again.checkpoints) == ["ckpt-5", "ckpt-6"]


@pytest.mark.parametrize("anew", [False, True], ids=["one manager", "a new one for each save"])
def test_an_hour_is_counted_from_the_one_last_preserved(system, v, home, clock, anew):
    rules = {"max_to_keep": 1, "keep_checkpoint_every_n_hours": 1}
    checkpoint = system.checkpoint(v=v)
    manager = system.manager(checkpoint, home, **rules)
    for _ in range(9):
        clock.now += 25 * 60.0
        manager.save()
        if anew:
            manager = system.manager(checkpoint, home, **rules)
    assert names(manager.checkpoints) == ["ckpt-9"]
    assert system.on_disk(home) == {"ckpt-3", "ckpt-6", "ckpt-9"}


def test_what_was_preserved_stays_under_a_manager_that_preserves_nothing(system, v, home, clock):
    checkpoint = system.checkpoint(v=v)
    manager = system.manager(checkpoint, home, 1, keep_checkpoint_every_n_hours=1)
    for _ in range(2):
        clock.now += 2 * HOUR
        manager.save()
    assert system.on_disk(home) == {"ckpt-1", "ckpt-2"}
    manager = system.manager(checkpoint, home, 1)
    assert names(manager.checkpoints) == ["ckpt-2"]
    clock.now += 2 * HOUR
    manager.save()
    assert system.on_disk(home) == {"ckpt-1", "ckpt-3"}


def test_without_hours_nothing_is_preserved(system, v, home, clock):
    manager = system.manager(system.checkpoint(v=v), home, 1)
    for _ in range(3):
        clock.now += 1000 * HOUR
        manager.save()
    assert system.on_disk(home) == {"ckpt-3"}


def test_after_the_clock_was_set_back_what_exists_is_kept_and_no_longer_managed(
    system, v, home, clock
):
    clock.now = 10_000.0
    checkpoint = system.checkpoint(v=v)
    manager = system.manager(checkpoint, home, 2)
    for _ in range(2):
        clock.now += 1.0
        manager.save()
    system.done()
    clock.now = 50.0
    with system.warns("behind"):
        manager = system.manager(checkpoint, home, 1)
    assert manager.checkpoints == []
    assert manager.latest_checkpoint == f"{home}/ckpt-2"
    clock.now = 60.0
    manager.save()
    clock.now = 70.0
    manager.save()
    assert names(manager.checkpoints) == ["ckpt-4"]
    assert system.on_disk(home) == {"ckpt-1", "ckpt-2", "ckpt-4"}
    # A new manager does not find them either, with the old clock or with the new one.
    for now in (80.0, 20_000.0):
        clock.now = now
        manager = system.manager(checkpoint, home, 1)
        assert names(manager.checkpoints) == [f"ckpt-{int(checkpoint.save_counter)}"]
        manager.save()
        assert {"ckpt-1", "ckpt-2"} < system.on_disk(home)
        assert len(system.on_disk(home)) == 3


def test_a_clock_that_was_set_back_a_little_is_not_worth_a_word(system, v, home, clock):
    checkpoint = system.checkpoint(v=v)
    manager = system.manager(checkpoint, home, 2)
    clock.now = 5000.0
    manager.save()
    clock.now = 4000.0
    manager = system.manager(checkpoint, home, 1)
    assert names(manager.checkpoints) == ["ckpt-1"]
    manager.save()
    assert system.on_disk(home) == {"ckpt-2"}


def test_what_was_saved_by_other_means_is_never_removed(system, v, home):
    v.assign(1.0)
    other = system.save_outside(system.checkpoint(v=v), f"{home}/best")
    assert other == f"{home}/best-1"
    manager = system.manager(system.checkpoint(v=v), home, 1)
    assert manager.checkpoints == []
    for _ in range(3):
        v.assign_add(1.0)
        manager.save()
    assert system.on_disk(home) == {"best-1", "ckpt-3"}
    assert names(manager.checkpoints) == ["ckpt-3"]
    assert value(system, other) == 1.0


def test_what_was_saved_by_other_means_is_found_for_restoring(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home)
    manager.save()
    v.assign(5.0)
    other = system.save_outside(system.checkpoint(v=v), f"{home}/best")
    assert system.latest(home) == other
    v.assign(0.0)
    manager = system.manager(system.checkpoint(v=v), home)
    assert manager.latest_checkpoint == other
    assert manager.restore_or_initialize() == other
    assert float(v) == 5.0


def test_files_of_others_stay(system, v, home):
    os.mkdir(home)
    pathlib.Path(home, "notes-1.txt").write_text("mine")
    manager = system.manager(system.checkpoint(v=v), home, 1)
    manager.save()
    manager.save()
    assert pathlib.Path(home, "notes-1.txt").read_text() == "mine"


def test_the_constructor_makes_no_folder(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home)
    assert not os.path.exists(home)
    assert manager.checkpoints == []
    assert manager.latest_checkpoint is None
    assert not os.path.exists(home)
    manager.save()
    assert system.on_disk(home) == {"ckpt-1"}


def test_a_removed_folder_is_made_again_by_the_next_save(system, v, home):
    manager = system.manager(system.checkpoint(v=v), home)
    manager.save()
    shutil.rmtree(home)
    v.assign(2.0)
    assert manager.save() == f"{home}/ckpt-2"
    assert system.on_disk(home) == {"ckpt-2"}
    assert manager.latest_checkpoint == system.latest(home) == f"{home}/ckpt-2"
    assert value(system, f"{home}/ckpt-2") == 2.0


def test_a_copied_folder_works_where_it_is(system, v, home, tmp_path):
    manager = system.manager(system.checkpoint(v=v), home, 2)
    for content in (1.0, 2.0):
        v.assign(content)
        manager.save()
    system.done()
    copy = str(tmp_path / "elsewhere")
    shutil.copytree(home, copy)
    shutil.rmtree(home)
    manager = system.manager(system.checkpoint(v=v), copy, 2)
    assert manager.checkpoints == [f"{copy}/ckpt-1", f"{copy}/ckpt-2"]
    v.assign(0.0)
    assert manager.restore_or_initialize() == f"{copy}/ckpt-2"
    assert float(v) == 2.0
    manager.save()
    assert system.on_disk(copy) == {"ckpt-2", "ckpt-3"}
    assert not os.path.exists(home)
