"""What the callback promises within one process."""

from __future__ import annotations

import os
import re
import warnings

import keras
import numpy as np
import pytest
from conftest import Interrupt, data, fit, interrupt, make_model

import rekindle
from rekindle._run import keras_internals
from rekindle.keras import BackupAndRestore


def values(model):
    variables = model.variables + model.optimizer.variables
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def assert_same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


class Probe(keras.callbacks.Callback):
    """Notes the model's values, and which batches of which epochs were trained."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        if not self.seen:
            self.first = values(self.model)

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((self.epoch, batch))


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
    # What a callback has seen is part of the run: it, too, is as if nothing had happened.
    assert probe.seen == [(e, b) for e in range(4) for b in range(5)]


def test_keras_own_case_of_a_save_at_each_batch_counts_fifteen_batches(backup_dir):
    # Keras' test of the same case counts 17: it repeats the epoch on top of half-trained weights.
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
    # Fails while it is skipping, and in the first hook of the resumed epoch.
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


def test_deleting_leaves_what_is_not_ours(backup_dir):
    backup_dir.mkdir()
    (backup_dir / "notes.txt").write_text("mine")
    (backup_dir / "ckpt-best.json").write_text("{}")
    fit(make_model(), BackupAndRestore(backup_dir))
    assert sorted(os.listdir(backup_dir)) == ["ckpt-best.json", "notes.txt"]
    assert (backup_dir / "notes.txt").read_text() == "mine"


def test_a_folder_that_was_there_before_stays(backup_dir):
    backup_dir.mkdir()
    fit(make_model(), BackupAndRestore(backup_dir))
    assert os.listdir(backup_dir) == []


def test_without_deleting_the_saves_stay_and_the_next_fit_goes_on_from_them(backup_dir):
    model = make_model()
    fit(model, BackupAndRestore(backup_dir, delete_checkpoint=False), epochs=3)
    again = make_model()
    assert fit(again, BackupAndRestore(backup_dir, delete_checkpoint=False), epochs=3).epoch == []
    assert_same(values(again), values(model))
    more = fit(again, BackupAndRestore(backup_dir, delete_checkpoint=False), epochs=5)
    assert more.epoch == [3, 4]


@pytest.mark.parametrize(("double", "kept"), [(False, 1), (True, 2)])
def test_one_save_is_kept_or_two(backup_dir, double, kept):
    interrupt(make_model(), BackupAndRestore(backup_dir, double_checkpoint=double), 3)
    assert len(list(backup_dir.glob("ckpt-*.json"))) == kept


def test_save_freq_false_restores_and_never_saves(backup_dir):
    interrupt(make_model(), BackupAndRestore(backup_dir), 2)
    before = {name.name: name.stat().st_mtime_ns for name in backup_dir.glob("ckpt-*")}
    history = fit(
        make_model(), BackupAndRestore(backup_dir, save_freq=False, delete_checkpoint=False)
    )
    assert history.epoch == [2]
    assert before == {name.name: name.stat().st_mtime_ns for name in backup_dir.glob("ckpt-*")}


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


def test_verbose_prints_one_line_at_resume_and_one_for_each_save(backup_dir, capsys):
    interrupt(make_model(), BackupAndRestore(backup_dir, verbose=1), 2)
    assert capsys.readouterr().out == ""
    fit(make_model(), BackupAndRestore(backup_dir, verbose=2))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("rekindle: Resuming at epoch 2 (counted from 0) from save 2, taken")
    assert lines[1:] == ["rekindle: Saved epoch 3, batch 0 as save 3."]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"width": 5},
            r"model/sequential/dense/kernel: expected float32 \(3, 5\), found float32 \(3, 4\)",
        ),
        ({"name": "other"}, "model/sequential/other/kernel: expected .*, found no such variable"),
        ({"optimizer": "sgd"}, "expected no such variable, found .* in the backup"),
    ],
)
def test_another_model_is_refused_with_a_list_of_the_differences(backup_dir, change, expected):
    interrupt(make_model(), BackupAndRestore(backup_dir), 2)
    before = sorted(os.listdir(backup_dir))
    other = make_model(**change)
    untouched = [np.array(w) for w in other.get_weights()]
    with pytest.raises(rekindle.MismatchError, match="is of another model") as caught:
        fit(other, BackupAndRestore(backup_dir))
    assert any(re.search(expected, line) for line in caught.value.differences)
    assert sorted(os.listdir(backup_dir)) == before
    assert_same(other.get_weights(), untouched)
    assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [2]


def test_the_names_of_a_second_model_in_one_session_are_those_of_the_first(backup_dir):
    interrupt(make_model(), BackupAndRestore(backup_dir), 2)
    keras.layers.Dense(2)
    assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [2]


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"batch_size": 5}, "batch size: expected 5, found 4 in the backup"),
        ({"samples": 24}, "number of samples: expected 24, found 20 in the backup"),
        ({"shuffle": False}, "shuffle: expected False, found True in the backup"),
    ],
)
def test_another_set_up_is_refused_or_on_demand_warned_about(backup_dir, change, difference):
    interrupt(make_model(), BackupAndRestore(backup_dir), 2)
    with pytest.raises(rekindle.MismatchError, match="of another training set-up") as caught:
        fit(make_model(), BackupAndRestore(backup_dir), **change)
    assert difference in caught.value.differences
    callback = BackupAndRestore(backup_dir, on_mismatch="warn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert fit(make_model(), callback, **change).epoch == [2]
    assert any(difference in str(w.message) for w in caught)
    assert callback.resume_report["exact"] is False


def test_a_second_model_with_dropout_in_one_session_is_the_first(backup_dir):
    def with_dropout():
        layers = [keras.layers.Dense(4), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
        model = keras.Sequential([keras.layers.Input((3,)), *layers])
        model.compile("adam", "mse")
        return model

    interrupt(with_dropout(), BackupAndRestore(backup_dir), 2)
    assert fit(with_dropout(), BackupAndRestore(backup_dir)).epoch == [2]


def test_two_backups_of_one_fit_do_not_disturb_each_other(tmp_path):
    def both():
        return [BackupAndRestore(tmp_path / "a", save_freq=2), BackupAndRestore(tmp_path / "b")]

    with pytest.raises(RuntimeError):
        fit(make_model(), *both(), Interrupt(2, 3))
    again = both()
    assert fit(make_model(), *again).epoch == [2]
    assert [(c.resume_report["epoch"], c.resume_report["batch"]) for c in again] in (
        [(2, 2), (2, 0)],
        [(2, 1), (2, 0)],
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="other backends shuffle in Python"
)
@pytest.mark.parametrize("shuffle", [True, "batch"])
def test_arrays_shuffled_without_a_seed_are_gone_through_once_in_each_epoch(backup_dir, shuffle):
    class Rows(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)
            self.rows = []

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            self.rows += data[0][:, 0].numpy().tolist()
            return super().train_step(data)

    def train(*callbacks):
        model = Rows()
        model.compile("sgd", "mse", run_eagerly=True)
        fit(model, BackupAndRestore(backup_dir, save_freq=1), *callbacks, shuffle=shuffle)
        return model.rows

    first = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: first.append(list(watch.model.rows))
    )
    with pytest.raises(RuntimeError):
        train(watch, Interrupt(1, 3))
    rows = first[-1] + train()
    assert len(first[-1]) == 20 + 12
    for epoch in range(3):
        assert sorted(rows[epoch * 20 : (epoch + 1) * 20]) == sorted(data()[0][:, 0].tolist())
    assert rows[:20] != rows[20:40]


def test_epochs_and_validation_data_may_change(backup_dir):
    interrupt(make_model(), BackupAndRestore(backup_dir), 2)
    history = fit(make_model(), BackupAndRestore(backup_dir), epochs=7, validation_data=data(8))
    assert history.epoch == [2, 3, 4, 5, 6]


def test_a_callback_that_is_gone_is_said_and_the_run_goes_on(backup_dir):
    class Counter(keras.callbacks.Callback):
        count = 0

        def on_epoch_end(self, epoch, logs=None):
            self.count = self.count + 1

    with pytest.raises(RuntimeError):
        fit(make_model(), BackupAndRestore(backup_dir), Counter(), Interrupt(2))
    with pytest.warns(rekindle.InexactWarning, match="the callback Counter is no longer in the"):
        assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [2]


def test_what_cannot_be_saved_is_named_once(backup_dir):
    class Tracker:
        pass

    class Tracking(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.tracker = Tracker()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(make_model(), BackupAndRestore(backup_dir), Tracking())
    ours = [w for w in caught if issubclass(w.category, rekindle.RekindleWarning)]
    assert [str(w.message)[:16] for w in ours] == ["Tracking.tracker"]


def test_extra_state_comes_back(backup_dir):
    class Schedule:
        def __init__(self):
            self.phase = 0

        def state_dict(self):
            return {"phase": self.phase}

        def load_state_dict(self, state):
            self.phase = state["phase"]

    schedule, noise = Schedule(), np.random.default_rng(1)
    extra = {"schedule": schedule, "noise": noise, "counts": np.arange(3)}
    schedule.phase = 3
    noise.normal(size=5)
    interrupt(make_model(), BackupAndRestore(backup_dir, extra_state=extra), 1)
    expected = noise.normal()
    counts = np.zeros(3, int)
    fresh = {"schedule": Schedule(), "noise": np.random.default_rng(1), "counts": counts}
    fit(make_model(), BackupAndRestore(backup_dir, extra_state=fresh))
    assert fresh["schedule"].phase == 3
    assert fresh["noise"].normal() == expected
    assert counts.tolist() == [0, 1, 2]


def test_saves_stay_as_far_apart_after_a_resume(backup_dir, capsys):
    interrupt(make_model(), BackupAndRestore(backup_dir, save_freq=3, verbose=2), 1, 3)
    fit(make_model(), BackupAndRestore(backup_dir, save_freq=3, verbose=2))
    saved = [line for line in capsys.readouterr().out.splitlines() if "Saved" in line]
    places = [tuple(map(int, re.findall(r"epoch (\d+), batch (\d+)", line)[0])) for line in saved]
    assert [epoch * 5 + batch for epoch, batch in places] == [3, 6, 9, 12, 15]


def test_stopping_early_is_not_forgotten_by_a_kill_before_the_end(backup_dir):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    class Fail(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            raise RuntimeError("killed before the clean-up")

    model = make_model()
    with pytest.raises(RuntimeError, match="before the clean-up"):
        fit(model, BackupAndRestore(backup_dir), Stop(), Fail(), epochs=6)
    again = make_model()
    assert fit(again, BackupAndRestore(backup_dir), Stop(), epochs=6).epoch == []
    assert_same(values(again), values(model))
    assert not backup_dir.exists()


def test_where_the_data_cannot_be_found_the_epoch_begins_again_and_says_so(backup_dir, monkeypatch):
    interrupt(make_model(), BackupAndRestore(backup_dir, save_freq=1), 1, 3)
    monkeypatch.setattr(keras_internals, "find_fit", dict)
    callback, probe = BackupAndRestore(backup_dir, save_freq=1), Probe()
    with pytest.warns(rekindle.InexactWarning, match="epoch 1 .* is run again from its start"):
        fit(make_model(), callback, probe)
    assert probe.seen[0] == (1, 0)
    assert callback.resume_report["exact"] is False


def test_where_keras_does_not_begin_at_the_epoch_it_is_said(backup_dir, monkeypatch):
    interrupt(make_model(), BackupAndRestore(backup_dir), 2)
    monkeypatch.setattr(keras_internals, "set_initial_epoch", lambda model, epoch: None)
    with pytest.warns(rekindle.InexactWarning, match="began at epoch 0 .*, not at 2"):
        fit(make_model(), BackupAndRestore(backup_dir))


def test_hooks_called_by_a_loop_of_ones_own_save_and_restore(backup_dir):
    def loop(model, epochs):
        callback = BackupAndRestore(backup_dir, delete_checkpoint=False)
        callback.set_model(model)
        model.stop_training = False
        callback.on_train_begin()
        for epoch in range(epochs):
            callback.on_epoch_begin(epoch)
            x, y = data()
            model.train_on_batch(x, y)
            callback.on_epoch_end(epoch, {"loss": 1.0})
        callback.on_train_end()
        return callback

    model = make_model()
    assert loop(model, 2).resume_report is None
    again = make_model()
    again.optimizer.build(again.trainable_variables)
    callback = loop(again, 0)
    assert callback.resume_report["epoch"] == 2
    assert_same(values(again), values(model))


def test_a_model_without_optimizer_variables_and_in_mixed_precision(backup_dir):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        interrupt(make_model(optimizer="sgd"), BackupAndRestore(backup_dir), 2)
        assert fit(make_model(optimizer="sgd"), BackupAndRestore(backup_dir)).epoch == [2]
    finally:
        keras.config.set_dtype_policy("float32")


def test_bfloat16_weights_come_back_bit_for_bit(backup_dir):
    keras.config.set_dtype_policy("bfloat16")
    try:
        model, probe = make_model(), Probe()
        interrupt(model, BackupAndRestore(backup_dir), 2)
        fit(make_model(), BackupAndRestore(backup_dir), probe)
        assert_same(probe.first, values(model))
    finally:
        keras.config.set_dtype_policy("float32")
