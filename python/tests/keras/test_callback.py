"""The promises of the callback within one process."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from small_fit import Interrupt, Probe, assert_same, data, fit, interrupt, make_model, values

from rekindle.keras import BackupAndRestore


@pytest.mark.parametrize("built", [True, False])
def test_the_example_of_the_keras_page_runs_six_epochs_more(backup_dir, built):
    class InterruptingCallback(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 4:
                raise RuntimeError("Interrupting!")

    callback = BackupAndRestore(backup_dir=backup_dir)
    layers = [keras.layers.Input((20,))] if built else []
    model = keras.models.Sequential([*layers, keras.layers.Dense(10)])
    model.compile(keras.optimizers.SGD(), loss="mse")
    x, y = np.arange(100).reshape(5, 20), np.zeros(5)
    with pytest.raises(RuntimeError, match="Interrupting!"):
        model.fit(
            x,
            y,
            epochs=10,
            batch_size=1,
            callbacks=[callback, InterruptingCallback()],
            verbose=0,
        )
    history = model.fit(x, y, epochs=10, batch_size=1, callbacks=[callback], verbose=0)
    assert len(history.history["loss"]) == 6
    assert history.epoch == [4, 5, 6, 7, 8, 9]
    assert not backup_dir.exists()


def test_a_resumed_fit_begins_with_the_values_of_the_save(backup_dir):
    model = make_model()
    interrupt(model, BackupAndRestore(backup_dir), 2)
    saved = values(model)
    probe = Probe()
    again = make_model()
    fit(again, BackupAndRestore(backup_dir), probe, epochs=5)
    assert_same(probe.first, saved)
    assert probe.seen[0] == (2, 0)


@pytest.mark.parametrize("save_freq", [1, 3, 7])
def test_no_batch_is_trained_twice_and_none_is_left_out(backup_dir, save_freq):
    trained = []

    def train(*others):
        count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda b, logs: trained.append(b))
        probe, callback = Probe(), BackupAndRestore(backup_dir, save_freq=save_freq)
        fit(make_model(), callback, probe, count, *others, epochs=4)
        return probe

    with pytest.raises(RuntimeError):
        train(Interrupt(2, 3))
    assert len(trained) == 13
    probe = train()
    assert len(trained) == 20 + 13 % save_freq
    # The state of a callback is a part of the run, so it must be as if nothing had happened.
    assert probe.seen == [(e, b) for e in range(4) for b in range(5)]


def test_keras_own_case_of_a_save_at_each_batch_counts_fifteen_batches(backup_dir):
    # Keras' test of the same case counts 17, because Keras repeats the epoch with half-trained
    # weights.
    class Canary(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.counter = self.add_weight(
                shape=(), initializer="zeros", dtype="float32", trainable=False
            )

        def call(self, x):
            self.counter.assign_add(1)
            return x

    model = keras.Sequential([keras.layers.Input((3,)), Canary(), keras.layers.Dense(1)])
    model.compile(loss="mse", optimizer="sgd", metrics=["mse"])
    callback = BackupAndRestore(backup_dir, save_freq=1)
    with pytest.raises(RuntimeError):
        fit(model, callback, Interrupt(0, 2), epochs=2, samples=10)
    assert (callback._current_epoch, callback._last_batch_seen) == (0, 1)
    history = fit(model, callback, epochs=5, samples=10)
    assert callback._current_epoch == 5
    assert history.epoch[-1] == 4
    assert int(keras.ops.convert_to_numpy(model.layers[0].counter)) == 15


def test_a_run_that_completed_leaves_no_trace_on_the_model(backup_dir):
    model = make_model()
    interrupt(model, BackupAndRestore(backup_dir), 2)
    fit(model, BackupAndRestore(backup_dir), epochs=4)
    assert fit(model, epochs=3).epoch == [0, 1, 2]
    assert "train_function" not in vars(BackupAndRestore(backup_dir))
    assert not [cb for cb in vars(model) if "rekindle" in cb.lower()]


def test_a_resume_that_fails_at_once_leaves_no_trace_on_the_model(backup_dir):
    model = make_model()
    interrupt(model, BackupAndRestore(backup_dir, save_freq=1), 2, 3)
    # Fails while it skips trained batches, and in the first hook of the resumed epoch.
    for trouble in (Interrupt(2), Interrupt(2, 3)):
        with pytest.raises(RuntimeError):
            fit(model, trouble, BackupAndRestore(backup_dir, save_freq=1), epochs=4)
        before = values(model)
        assert fit(model, epochs=3).epoch == [0, 1, 2]
        assert any((a != b).any() for a, b in zip(before, values(model), strict=True))


def test_a_fit_that_fails_while_skipping_does_not_stop_the_next_from_training(backup_dir):
    class Broken(keras.utils.PyDataset):
        broken = False

        def __len__(self):
            return 5

        def __getitem__(self, index):
            if self.broken and index == 1:
                raise OSError("the disk with the data is gone")
            x, y = data()
            return x[index * 4 :][:4], y[index * 4 :][:4]

    def train(dataset, *callbacks):
        return model.fit(dataset, epochs=3, shuffle=False, verbose=0, callbacks=list(callbacks))

    model = make_model()
    with pytest.raises(RuntimeError):
        train(Broken(), BackupAndRestore(backup_dir, save_freq=1), Interrupt(1, 3))
    dataset = Broken()
    dataset.broken = True
    with pytest.raises(Exception, match="the disk with the data is gone") as caught:
        train(dataset, BackupAndRestore(backup_dir, save_freq=1))
    before = values(model)
    fit(model, epochs=1)
    assert any((a != b).any() for a, b in zip(before, values(model), strict=True)), caught


def test_the_history_is_of_this_call_or_of_the_whole_run(backup_dir):
    never = fit(make_model(), epochs=5)
    for whole in (False, True):
        interrupt(make_model(), BackupAndRestore(backup_dir), 3)
        callback = BackupAndRestore(backup_dir, restore_history=whole)
        history = fit(make_model(), callback, epochs=5)
        assert history.epoch == ([0, 1, 2, 3, 4] if whole else [3, 4])
        assert set(history.history) == set(never.history)
        assert {len(values) for values in history.history.values()} == {5 if whole else 2}


def test_the_report_says_where_the_run_went_on(backup_dir):
    callback = BackupAndRestore(backup_dir, save_freq=2)
    interrupt(make_model(), callback, 1, 4)
    assert callback.resume_report is None
    fit(make_model(), callback)
    report = callback.resume_report
    assert {k: report[k] for k in ("epoch", "batch", "step", "exact", "notes")} == {
        "epoch": 1,
        "batch": 3,
        "step": 8,
        "exact": True,
        "notes": [],
    }


def test_a_resume_after_the_last_batch_of_an_epoch_is_told_as_such(backup_dir, capsys):
    interrupt(make_model(), BackupAndRestore(backup_dir, save_freq=5), 1)
    fit(make_model(), BackupAndRestore(backup_dir, verbose=1))
    assert "Resuming at the end of epoch 0 (counted from 0)" in capsys.readouterr().out


def test_verbose_prints_one_line_at_resume_and_one_for_each_save(backup_dir, capsys):
    interrupt(make_model(), BackupAndRestore(backup_dir, verbose=1), 2)
    assert capsys.readouterr().out == ""
    fit(make_model(), BackupAndRestore(backup_dir, verbose=2))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(
        "rekindle: Resuming at epoch 2 (counted from 0) from checkpoint 2, saved"
    )
    assert lines[1:] == ["rekindle: Saved epoch 3, batch 0 as checkpoint 3."]
