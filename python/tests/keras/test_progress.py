"""The progress that is shown while rekindle replays the batches before a checkpoint."""

from __future__ import annotations

import pytest
from small_fit import fit, interrupt, make_model

from rekindle._base import events
from rekindle._training import replay
from rekindle.keras import BackupAndRestore


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(replay, "_PATIENCE", 0.0)
    monkeypatch.setattr(replay, "_PACE", 0.0)


def resumed(backup_dir, verbose):
    interrupt(make_model(), BackupAndRestore(backup_dir, 1), 1, 4)
    fit(make_model(), BackupAndRestore(backup_dir, 1, verbose=verbose))


def test_a_bar_shows_how_many_are_read(backup_dir, capsys):
    resumed(backup_dir, verbose=1)
    out = capsys.readouterr().out
    assert out.count("Replaying the batches that were trained before.") == 1
    assert "4/4" in out


def test_who_wants_silence_has_it(backup_dir, capsys):
    resumed(backup_dir, verbose=0)
    assert capsys.readouterr().out == ""


def test_a_host_language_is_told_each_step(backup_dir):
    told = []
    events.send_to(lambda kind, facts: told.append((kind, facts)))
    try:
        resumed(backup_dir, verbose=1)
    finally:
        events.send_to(None)
    steps = [(facts["done"], facts["total"]) for kind, facts in told if kind == "replaying"]
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
