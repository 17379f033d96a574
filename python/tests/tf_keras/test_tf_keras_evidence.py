"""Whether a resumed fit() of tf_keras proves itself, and what it makes of changed settings."""

from __future__ import annotations

import pytest
import tf_keras
from small_tf_fit import fit, interrupt, make_model

import rekindle
from rekindle.tf_keras import BackupAndRestore


def test_a_resumed_run_is_verified_by_its_losses(backup_dir):
    callback = BackupAndRestore(backup_dir)
    interrupt(make_model(), callback, 1, 3)
    callback = BackupAndRestore(backup_dir)
    fit(make_model(), callback)
    report = callback.resume_report
    assert report["evidence"] == "verified"
    # TensorFlow keeps the batches to itself.
    assert report["compared"] == {"batches": 0, "losses": 3, "epochs": 0, "largest": 0.0}


def test_what_was_not_restored_is_seen(backup_dir, monkeypatch):
    interrupt(make_model(), BackupAndRestore(backup_dir), 1, 3)
    put = rekindle._tf_keras.variables.assign

    def without_slots(found, arrays):
        put({name: one for name, one in found.items() if "_variables/" not in name}, arrays)

    monkeypatch.setattr(rekindle._tf_keras.variables, "assign", without_slots)
    callback = BackupAndRestore(backup_dir)
    with pytest.warns(rekindle.InexactWarning, match="from epoch 1, batch 1 on .* the loss"):
        fit(make_model(), callback)
    assert callback.resume_report["evidence"] == "differs"


@pytest.mark.parametrize("legacy", [False, True])
def test_a_learning_rate_that_was_changed_is_refused_or_on_demand_taken(backup_dir, legacy):
    def model(rate):
        kind = tf_keras.optimizers.legacy.Adam if legacy else tf_keras.optimizers.Adam
        return make_model(optimizer=kind(rate))

    interrupt(model(0.01), BackupAndRestore(backup_dir), 1)
    with pytest.raises(
        rekindle.MismatchError, match=r"learning_rate: expected 0\.001, found 0\.01"
    ):
        fit(model(0.001), BackupAndRestore(backup_dir))
    changed, callback = model(0.001), BackupAndRestore(backup_dir, allow_changes="all")
    with pytest.warns(rekindle.InexactWarning, match="learning_rate"):
        fit(changed, callback)
    assert float(changed.optimizer.learning_rate) == pytest.approx(0.001)
    assert callback.resume_report["evidence"] == "changed"
