"""A learning rate, or another setting of the optimizer, that was changed between two runs."""

from __future__ import annotations

import keras
import pytest
from small_fit import fit, interrupt, make_model, run_code

import rekindle
from rekindle.keras import BackupAndRestore


def adam(rate=0.01, **more):
    return make_model(optimizer=keras.optimizers.Adam(rate, **more))


def rate_of(model):
    return round(float(model.optimizer.learning_rate), 7)


class Halve(keras.callbacks.Callback):
    """Halves the learning rate at the end of each epoch, as ReduceLROnPlateau may."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.optimizer.learning_rate = self.model.optimizer.learning_rate / 2


@pytest.mark.parametrize("batch", [None, 3])
def test_a_learning_rate_that_was_changed_is_refused_or_on_demand_taken(backup_dir, batch):
    interrupt(adam(), BackupAndRestore(backup_dir, 1), 1, batch)
    with pytest.raises(
        rekindle.MismatchError, match='it in `allow_changes`: "learning_rate"'
    ) as caught:
        fit(adam(0.001), BackupAndRestore(backup_dir, 1))
    assert caught.value.differences == [
        "the optimizer's learning_rate: expected 0.001, found 0.01 in the backup"
    ]
    model, backup = adam(0.001), BackupAndRestore(backup_dir, 1, allow_changes="all")
    with pytest.warns(rekindle.InexactWarning, match="learning_rate: expected 0.001"):
        interrupt(model, backup, 2)
    assert rate_of(model) == 0.001
    assert backup.resume_report["evidence"] == "changed"
    assert backup.resume_report["exact"] is False
    # The backup is now of the new set-up.
    model, backup = adam(0.001), BackupAndRestore(backup_dir, 1)
    fit(model, backup)
    assert rate_of(model) == 0.001
    assert backup.resume_report["evidence"] != "changed"


def test_other_settings_count_too(backup_dir):
    interrupt(adam(beta_1=0.8), BackupAndRestore(backup_dir), 1)
    with pytest.raises(rekindle.MismatchError) as caught:
        fit(adam(beta_1=0.9), BackupAndRestore(backup_dir))
    assert caught.value.differences == [
        "the optimizer's beta_1: expected 0.9, found 0.8 in the backup"
    ]
    assert fit(adam(beta_1=0.8), BackupAndRestore(backup_dir)).epoch == [1, 2]


def test_a_schedule_counts_by_its_settings(backup_dir):
    def model(steps):
        return adam(keras.optimizers.schedules.CosineDecay(0.1, steps))

    interrupt(model(100), BackupAndRestore(backup_dir), 1)
    with pytest.raises(rekindle.MismatchError, match="the optimizer's learning_rate"):
        fit(model(50), BackupAndRestore(backup_dir))
    assert fit(model(100), BackupAndRestore(backup_dir)).epoch == [1, 2]


ALWAYS = """
    import sys, keras
    from small_fit import fit
    from test_optimizer_settings import Halve, adam, rate_of
    from rekindle.keras import BackupAndRestore
    model, backup = adam(), BackupAndRestore(sys.argv[1], delete_checkpoint=False)
    fit(model, Halve(), backup, epochs=4)
    print(rate_of(model), backup.resume_report["exact"])
"""


def test_a_learning_rate_that_training_changed_is_restored(backup_dir):
    model, backup = adam(), BackupAndRestore(backup_dir)
    interrupt(model, backup, 2, None, more_callbacks=(Halve(),))
    assert rate_of(model) == 0.0025
    # In a new process, the script gives 0.01 again.
    assert run_code(ALWAYS, backup_dir).split() == ["0.000625", "True"]


def test_in_the_same_session_only_the_script_changes_it(backup_dir):
    model = adam()
    interrupt(model, BackupAndRestore(backup_dir), 2, more_callbacks=(Halve(),))
    backup = BackupAndRestore(backup_dir)
    fit(model, Halve(), backup, epochs=4)
    assert backup.resume_report["exact"]
    assert rate_of(model) == 0.000625
    interrupt(model, BackupAndRestore(backup_dir), 2)
    model.optimizer.learning_rate = 0.5
    with pytest.raises(rekindle.MismatchError, match=r"learning_rate: expected 0\.5, found 0\.01"):
        fit(model, BackupAndRestore(backup_dir))


def test_a_stage_of_a_script_may_have_another_learning_rate(backup_dir):
    fit(adam(), BackupAndRestore(backup_dir, delete_checkpoint=False), epochs=2)
    model, backup = adam(0.001), BackupAndRestore(backup_dir)
    interrupt(model, backup, 3, initial_epoch=2)
    assert rate_of(model) == 0.001
    assert backup.resume_report["epoch"] == 2
    # The script again, in a new process: its second stage goes on.
    model, backup = adam(0.001), BackupAndRestore(backup_dir)
    fit(model, backup, epochs=5, initial_epoch=2)
    assert (backup.resume_report["epoch"], rate_of(model)) == (3, 0.001)


def test_an_optimizer_without_settings_is_none_of_this(backup_dir):
    class Silent(keras.optimizers.SGD):
        def get_config(self):
            raise NotImplementedError

    interrupt(make_model(optimizer=Silent(0.1)), BackupAndRestore(backup_dir), 1)
    assert fit(make_model(optimizer=Silent(0.1)), BackupAndRestore(backup_dir)).epoch == [1, 2]
