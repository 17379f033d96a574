"""A backup that is further than fit() asks for: of a later stage, complete, or ahead."""

from __future__ import annotations

import json
import os
import signal

import forks
import keras
import pytest
from small_fit import Interrupt, Probe, assert_same, fit, make_model, values

import rekindle
from rekindle._training.history import HistoryRecord
from rekindle.keras import BackupAndRestore

DONE = "This fit\\(\\) is done, and runs no epoch"


def files(folder):
    """Every file of the folder except the lock, with its bytes."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}


def stop_at(backup_dir, epoch, batch=None, *, epochs=8, initial_epoch=0, **how):
    """Leaves a backup like a kill at this point."""
    callback = BackupAndRestore(backup_dir, background=False, **how)
    model = make_model()
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(
            model,
            callback,
            Interrupt(epoch, batch),
            epochs=epochs,
            initial_epoch=initial_epoch,
        )
    return model


@pytest.mark.parametrize(
    ("at", "epochs", "found"),
    [
        ((5, None), 3, "5 epochs"),
        ((4, None), 3, "4 epochs"),
        ((3, 2), 3, "3 epochs and 2 batches"),
        ((4, 4), 1, "4 epochs and 4 batches"),
    ],
)
@pytest.mark.parametrize("allowed", [None, "all"])
def test_a_backup_ahead_of_what_is_asked_is_refused_and_stays(
    backup_dir, at, epochs, found, allowed
):
    how = {"save_freq": 1} if at[1] else {}
    stop_at(backup_dir, *at, **how)
    before, model, probe = files(backup_dir), make_model(), Probe()
    untouched = [w.copy() for w in model.get_weights()]
    with pytest.raises(rekindle.MismatchError, match="is ahead of this fit") as caught:
        fit(model, BackupAndRestore(backup_dir, allow_changes=allowed), probe, epochs=epochs)
    assert caught.value.differences == [
        f"epochs: expected at most {epochs}, found {found} in the backup"
    ]
    assert f"`epochs` to {at[0] + bool(at[1])} or more" in str(caught.value)
    assert_same(model.get_weights(), untouched)
    assert files(backup_dir) == before
    assert probe.seen == []
    assert fit(make_model(), BackupAndRestore(backup_dir, **how), epochs=6).epoch[0] == at[0]
    assert not backup_dir.exists()


def test_a_backup_of_keras_own_callback_that_is_ahead_is_refused_and_not_settled(backup_dir):
    with pytest.raises(RuntimeError):
        fit(
            make_model(),
            keras.callbacks.BackupAndRestore(str(backup_dir)),
            Interrupt(5),
            epochs=8,
        )
    before, model = files(backup_dir), make_model()
    untouched = [w.copy() for w in model.get_weights()]
    with pytest.raises(rekindle.MismatchError, match="is ahead of this fit"):
        fit(model, BackupAndRestore(backup_dir), epochs=3)
    assert_same(model.get_weights(), untouched)
    assert files(backup_dir) == before
    with pytest.warns(rekindle.TakeoverWarning):
        assert fit(make_model(), BackupAndRestore(backup_dir), epochs=8).epoch == [5, 6, 7]


class KillAtTheEnd(keras.callbacks.Callback):
    """Ends fit() after the last epoch, before any clean-up."""

    def on_train_end(self, logs=None):
        raise RuntimeError("Interrupting!")


@pytest.mark.parametrize("early", [False, True], ids=["all epochs", "stopped early"])
def test_a_run_killed_before_its_clean_up_is_complete_and_cleaned_up(backup_dir, early):
    """A backup at exactly `epochs`, or of a run that stopped itself, has no epochs left."""

    def stop(epoch, logs):
        model.stop_training = early and epoch == 2

    model = make_model()
    with pytest.raises(RuntimeError):
        fit(
            model,
            BackupAndRestore(backup_dir),
            keras.callbacks.LambdaCallback(on_epoch_end=stop),
            KillAtTheEnd(),
            epochs=8 if early else 3,
        )
    again, callback = make_model(), BackupAndRestore(backup_dir, restore_history=True)
    history = fit(again, callback, epochs=8 if early else 3)
    assert history.epoch == [0, 1, 2]
    assert_same(values(again), values(model))
    assert not backup_dir.exists()


@pytest.mark.parametrize("save_freq", ["epoch", 2, 4, "1 h"])
def test_a_complete_run_found_again_runs_nothing_and_is_no_error(backup_dir, save_freq):
    model, how = make_model(), {"delete_checkpoint": False, "save_freq": save_freq}
    fit(model, BackupAndRestore(backup_dir, **how), epochs=3)
    before = files(backup_dir)
    for whole in (False, True):
        again, probe = make_model(), Probe()
        callback = BackupAndRestore(backup_dir, restore_history=whole, **how)
        history = fit(again, callback, probe, epochs=3)
        assert history.epoch == ([0, 1, 2] if whole else [])
        assert probe.seen == []
        assert_same(values(again), values(model))
        assert files(backup_dir) == before


@pytest.mark.parametrize("save_freq", ["epoch", 1])
@pytest.mark.parametrize("delete_checkpoint", [True, False])
def test_a_backup_of_a_later_stage_is_left_to_that_stage(backup_dir, save_freq, delete_checkpoint):
    how = {"save_freq": save_freq, "delete_checkpoint": delete_checkpoint}
    if not delete_checkpoint:
        fit(make_model(), BackupAndRestore(backup_dir, **how), epochs=3)
    killed = stop_at(backup_dir, 4, initial_epoch=3, epochs=6, **how)
    before, model, probe = files(backup_dir), make_model(), Probe()
    untouched = [w.copy() for w in model.get_weights()]
    callback = BackupAndRestore(backup_dir, restore_history=True, **how)
    with pytest.warns(rekindle.RekindleWarning, match=DONE):
        history = fit(model, callback, epochs=3)
    assert history.epoch == ([] if delete_checkpoint else [0, 1, 2])
    assert probe.seen == []
    assert callback.resume_report is None
    assert_same(model.get_weights(), untouched)
    assert files(backup_dir) == before
    fit(model, BackupAndRestore(backup_dir, **how), probe, initial_epoch=3, epochs=6)
    assert_same(probe.first, values(killed))
    assert probe.seen[0] == (4, 0)
    assert backup_dir.exists() is not delete_checkpoint


def test_a_stage_is_done_also_when_the_later_one_was_resumed_and_stopped_early(backup_dir):
    stop_at(backup_dir, 4, initial_epoch=3)
    stop_at(backup_dir, 5, initial_epoch=3)
    with pytest.warns(rekindle.RekindleWarning, match=DONE):
        fit(make_model(), BackupAndRestore(backup_dir), epochs=3)
    with pytest.warns(rekindle.RekindleWarning, match=DONE):
        fit(make_model(), BackupAndRestore(backup_dir), epochs=2)
    again = fit(make_model(), BackupAndRestore(backup_dir), initial_epoch=3, epochs=6)
    assert again.epoch == [5]


def test_a_stage_after_one_that_stopped_early_is_trained(backup_dir):
    stop = keras.callbacks.EarlyStopping("loss", mode="max", patience=1)
    how = {"delete_checkpoint": False}
    first = fit(make_model(), BackupAndRestore(backup_dir, **how), stop, epochs=4)
    assert len(first.epoch) < 4
    again = keras.callbacks.EarlyStopping("loss", patience=9)
    backup = BackupAndRestore(backup_dir, **how)
    second = fit(make_model(), backup, again, initial_epoch=4, epochs=6)
    assert second.epoch == [4, 5]


def test_a_fit_that_begins_before_the_one_that_was_saved_says_so(backup_dir):
    stop_at(backup_dir, 5, initial_epoch=3)
    callback = BackupAndRestore(backup_dir)
    with pytest.warns(rekindle.InexactWarning, match="began at epoch 3"):
        fit(make_model(), callback, epochs=6)
    assert callback.resume_report["exact"] is False


def test_a_history_never_has_more_epochs_than_its_parameters_say():
    """R makes a table with that many rows from it."""
    record, history = HistoryRecord(), keras.callbacks.History()
    for epoch in range(3):
        record.add(epoch, {"loss": 1.0})
    for asked in (2, 9):
        history.set_params({"epochs": asked})
        record.fill(history)
        assert history.params["epochs"] == max(3, asked)


def test_a_stage_that_is_done_ends_well_where_weights_are_averaged(backup_dir):
    def averaged(**layers):
        model = make_model(**layers)
        model.compile(keras.optimizers.Adam(use_ema=True), "mse")
        return model

    with pytest.raises(RuntimeError):
        fit(averaged(), BackupAndRestore(backup_dir), Interrupt(4), initial_epoch=3, epochs=6)
    with pytest.warns(rekindle.RekindleWarning, match=DONE):
        fit(averaged(built=False), BackupAndRestore(backup_dir), epochs=3)
    again = fit(averaged(), BackupAndRestore(backup_dir), initial_epoch=3, epochs=6)
    assert again.epoch == [4, 5]


SCRIPT = """
import json, os, signal, sys
import keras, numpy as np
from rekindle.keras import BackupAndRestore

kill, delete, folder = json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]

class Kill(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if [self.epoch, batch] == kill:
            os.kill(os.getpid(), signal.SIGKILL)

keras.utils.set_random_seed(1)
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dropout(0.5),
                          keras.layers.Dense(1)])
model.compile("adam", "mse")
x = np.random.RandomState(0).normal(size=(20, 3)).astype("float32")
seen = []
for first, last in ((0, 2), (2, 4), (4, 6)):
    backup = BackupAndRestore(folder, save_freq=2, background=False, delete_checkpoint=delete)
    how = {"initial_epoch": first, "epochs": last, "batch_size": 4, "verbose": 0}
    seen += model.fit(x, x[:, :1], callbacks=[backup, Kill()], **how).epoch
values = [np.array(v).tobytes().hex() for v in model.variables + model.optimizer.variables]
print(json.dumps({"values": values, "epochs": seen}))
"""


@pytest.mark.parametrize("delete_checkpoint", [True, False])
def test_three_stages_killed_in_each_of_them_end_as_if_they_were_not(tmp_path, delete_checkpoint):
    def run(name, kill=None):
        how = (json.dumps(kill), json.dumps(delete_checkpoint), tmp_path / name)
        status, out, errors = forks.run_code(SCRIPT, *how)
        assert status == (-signal.SIGKILL if kill else 0), errors
        return None if kill else json.loads(out.splitlines()[-1])

    never = run("never")
    assert never["epochs"] == [0, 1, 2, 3, 4, 5]
    for kill in ([1, 3], [3, 3], [5, 3]):
        run("killed", kill)
    again = run("killed")
    assert again["values"] == never["values"]
    assert again["epochs"] == [5]
    assert os.path.exists(tmp_path / "killed") is not delete_checkpoint
