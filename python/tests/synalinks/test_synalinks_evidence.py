"""Whether a resumed run of a program proves itself, by its records and rewards."""

from __future__ import annotations

import pytest
from small_program import Interrupt, Interrupted, fit, make, seed

import rekindle
from rekindle._training.witness import numbers
from rekindle.synalinks import BackupAndRestore

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


def interrupted(backup_dir):
    seed()
    with pytest.raises(Interrupted):
        fit(make(), [BackupAndRestore(backup_dir), Interrupt(1, 2)], 2)


def test_records_and_rewards_are_compared(backup_dir):
    interrupted(backup_dir)
    ours = BackupAndRestore(backup_dir)
    fit(make(), [ours, Interrupt(9)], 2)
    report = ours.resume_report
    assert (report["epoch"], report["evidence"]) == (1, "verified")
    assert report["compared"]["batches"] > 0
    assert report["compared"]["losses"] > 0


def test_another_reward_is_seen(backup_dir, monkeypatch):
    interrupted(backup_dir)
    monkeypatch.setattr(numbers, "loss", lambda logs: 7.5)
    ours = BackupAndRestore(backup_dir)
    with pytest.warns(rekindle.InexactWarning, match="from epoch 1, batch 0 on"):
        fit(make(), [ours, Interrupt(9)], 2)
    assert ours.resume_report["evidence"] == "differs"
