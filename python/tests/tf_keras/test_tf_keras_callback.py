"""Interrupted and resumed in one process: what comes back, and what stays on the model."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from small_tf_fit import (
    Interrupt,
    Never,
    Probe,
    assert_same,
    data,
    fit,
    interrupt,
    make_model,
    values,
    weights,
)

import rekindle
from rekindle.tf_keras import BackupAndRestore


def straight(backup_dir, **more):
    """The run that is never interrupted: its model and its history."""
    model = make_model()
    history = fit(model, BackupAndRestore(f"{backup_dir}-other", 1), Never(), **more)
    return values(model), history.history


def resumed(backup_dir, save_freq, epoch, batch=None, **more):
    callback = BackupAndRestore(backup_dir, save_freq, restore_history=True)
    interrupt(make_model(), callback, epoch, batch, **more)
    model = make_model()
    callback = BackupAndRestore(backup_dir, save_freq, restore_history=True)
    history = fit(model, callback, Never(), **more)
    return values(model), history.history, callback.resume_report


@pytest.mark.parametrize(
    ("save_freq", "epoch", "batch", "stands"),
    [
        ("epoch", 2, 1, (2, 0)),
        (2, 1, 4, (1, 3)),
        # After the last batch of an epoch, before its validation.
        (5, 1, None, (0, 5)),
        (1, 0, 1, (0, 1)),
    ],
)
def test_a_resumed_run_ends_as_if_it_had_not_been_interrupted(
    backup_dir, save_freq, epoch, batch, stands
):
    x, y = data()
    expected, history = straight(backup_dir, validation_data=(x, y))
    found, again, report = resumed(backup_dir, save_freq, epoch, batch, validation_data=(x, y))
    assert (report["epoch"], report["batch"]) == stands
    assert report["exact"], report["notes"]
    assert_same(expected, found)
    assert again == history


def test_the_callback_alone_changes_no_bit(backup_dir):
    plain, under = make_model(), make_model()
    tf_keras.utils.set_random_seed(7)
    expected = fit(plain).history
    tf_keras.utils.set_random_seed(7)
    found = fit(under, BackupAndRestore(backup_dir, 2)).history
    assert found == expected
    assert_same(weights(plain), weights(under))


def test_without_the_counters_dropout_would_begin_again(backup_dir, monkeypatch):
    expected, _ = straight(backup_dir)
    put = rekindle._tf_keras.variables.assign

    def forgetful(found, arrays):
        put({name: one for name, one in found.items() if "random_ops" not in name}, arrays)

    monkeypatch.setattr(rekindle._tf_keras.variables, "assign", forgetful)
    with pytest.warns(rekindle.InexactWarning, match="the loss is not that of the interrupted run"):
        found, _, report = resumed(backup_dir, 2, 1, 4)
    assert report["evidence"] == "differs"
    assert not np.array_equal(
        expected["model/layer_with_weights-0/kernel"], found["model/layer_with_weights-0/kernel"]
    )


def test_batches_before_the_checkpoint_are_not_trained_again(backup_dir):
    interrupt(make_model(), BackupAndRestore(backup_dir, 2), 1, 4)
    probe = Probe()
    fit(make_model(), BackupAndRestore(backup_dir, 2), probe, Never())
    assert probe.seen == [(1, 3), (1, 4), *((2, batch) for batch in range(5))]


def test_later_callbacks_find_a_built_optimizer(backup_dir):
    class Later(tf_keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.count = len(self.model.optimizer.variables)

    later = Later()
    model = make_model()
    fit(model, BackupAndRestore(backup_dir), later)
    assert later.count == len(model.optimizer.variables) > 2


def test_nothing_stays_on_the_model(backup_dir):
    model = make_model()
    fit(model, BackupAndRestore(backup_dir, 2))
    assert model._training_state is None
    assert model.train_function is model.train_tf_function
    assert int(model._train_counter.numpy()) == 15


def test_after_a_failure_the_same_model_resumes(backup_dir):
    expected, _ = straight(backup_dir)
    model = make_model()
    callback = BackupAndRestore(backup_dir, 2)
    interrupt(model, callback, 1, 4)
    tf_keras.utils.set_random_seed(7)
    fit(model, callback, Never())
    assert_same(expected, values(model))


def test_a_second_fit_goes_on_with_the_counters_of_the_first(backup_dir):
    def train(model, stop=None, callback=None):
        fit(model, BackupAndRestore(f"{backup_dir}-first", 2), Never(), epochs=1)
        if stop is None:
            fit(model, callback, Never(), epochs=2)
        else:
            interrupt(model, callback, *stop, epochs=2)
        return values(model)

    expected = train(make_model(), None, BackupAndRestore(f"{backup_dir}-other", 2))
    train(make_model(), (1, 3), BackupAndRestore(backup_dir, 2))
    assert_same(expected, train(make_model(), None, BackupAndRestore(backup_dir, 2)))


def test_a_model_compiled_anew_between_two_stages_resumes_exactly(backup_dir):
    def train(where, stop=None):
        model = make_model()
        for initial, epochs in ((0, 1), (1, 3)):
            model.compile("sgd", "mse", metrics=["mae"])
            callback = BackupAndRestore(where, 2, delete_checkpoint=epochs == 3)
            more = {"initial_epoch": initial, "epochs": epochs}
            if stop is not None and initial == 1:
                interrupt(model, callback, *stop, **more)
            else:
                fit(model, callback, Never(), **more)
        return values(model)

    expected = train(f"{backup_dir}-other")
    train(backup_dir, (2, 3))
    with pytest.warns(rekindle.RekindleWarning, match="runs no epoch"):
        found = train(backup_dir)
    assert_same(expected, found)


def test_a_model_trained_before_without_a_backup_resumes_exactly(backup_dir):
    def train(stop=None, where="other"):
        model = make_model()
        fit(model, epochs=1)
        callback = BackupAndRestore(backup_dir / where, 2)
        if stop is None:
            fit(model, callback, Never(), epochs=2)
        else:
            interrupt(model, callback, *stop, epochs=2)
        return values(model)

    expected = train()
    train((1, 3), "backup")
    assert_same(expected, train(where="backup"))


def test_a_complete_run_leaves_nothing_unless_asked(backup_dir):
    fit(make_model(), BackupAndRestore(backup_dir))
    assert not backup_dir.exists()
    fit(make_model(), BackupAndRestore(backup_dir, delete_checkpoint=False))
    assert backup_dir.exists()
    probe = Probe()
    fit(make_model(), BackupAndRestore(backup_dir, delete_checkpoint=False), probe)
    assert probe.seen == []


def test_another_set_up_is_refused_and_nothing_is_changed(backup_dir):
    interrupt(make_model(), BackupAndRestore(backup_dir, 2), 1, 4)
    with pytest.raises(rekindle.MismatchError, match="batch size: expected 5, found 4"):
        fit(make_model(), BackupAndRestore(backup_dir, 2), batch_size=5)
    with pytest.raises(rekindle.MismatchError, match="of another model"):
        fit(make_model(tf_keras.layers.Dense(7)), BackupAndRestore(backup_dir, 2))


def test_data_that_ends_too_early_is_refused(backup_dir):
    def batches(count):
        x, y = data()
        rows = tf.data.Dataset.from_tensor_slices((x, y)).batch(4).take(count)
        return rows.filter(lambda x, y: True)

    interrupt(make_model(), BackupAndRestore(backup_dir, 4), 0, 4, x=batches(5))
    with pytest.raises(rekindle.MismatchError, match="ends before batch 4"):
        fit(make_model(), BackupAndRestore(backup_dir, 4), x=batches(3))


def test_an_optimizer_and_a_variable_in_an_attribute_come_back(backup_dir):
    class Two(tf_keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = tf_keras.layers.Dense(1)
            self.second = tf_keras.optimizers.SGD(0.01, momentum=0.9)
            self.count = tf.Variable(0, dtype=tf.int64, trainable=False)

        def call(self, x):
            return self.dense(x)

        def train_step(self, both):
            self.count.assign_add(1)
            x, y = both
            with tf.GradientTape(persistent=True) as tape:
                loss = tf.reduce_mean((self(x) - y) ** 2)
            kernel, bias = self.dense.trainable_variables
            self.optimizer.apply_gradients([(tape.gradient(loss, kernel), kernel)])
            self.second.apply_gradients([(tape.gradient(loss, bias), bias)])
            return {"loss": loss}

    def make():
        tf_keras.utils.set_random_seed(7)
        model = Two()
        model.compile("adam")
        return model

    model = make()
    fit(model, BackupAndRestore(f"{backup_dir}-other", 2), Never())
    interrupt(make(), BackupAndRestore(backup_dir, 2), 1, 4)
    again = make()
    fit(again, BackupAndRestore(backup_dir, 2), Never())
    assert int(again.count.numpy()) == 15
    assert_same(values(model), values(again))


def test_training_that_stopped_early_is_not_begun_again(backup_dir):
    class Stop(tf_keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    callback = BackupAndRestore(backup_dir, delete_checkpoint=False)
    fit(make_model(), callback, Stop(), epochs=4)
    probe = Probe()
    fit(make_model(), BackupAndRestore(backup_dir), Stop(), probe, epochs=4)
    assert probe.seen == []


def test_hooks_called_by_hand_are_served(backup_dir):
    callback = BackupAndRestore(backup_dir, delete_checkpoint=False)
    model = make_model()
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    callback.on_epoch_end(0, {"loss": 1.0})
    callback.on_train_end()
    assert (backup_dir / "ckpt-1.json").exists()


class Sums(tf_keras.callbacks.Callback):
    """Changes an array in place when an epoch begins."""

    def __init__(self):
        super().__init__()
        self.total = np.zeros(2)

    def on_epoch_begin(self, epoch, logs=None):
        self.total += [1, np.random.rand()]


def test_an_array_that_a_hook_changes_in_place_is_restored(backup_dir):
    expected, sums = Sums(), Sums()
    fit(make_model(), BackupAndRestore(f"{backup_dir}-other", 2), expected, Never())
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(make_model(), BackupAndRestore(backup_dir, 2), Sums(), Interrupt(1, 3))
    fit(make_model(), BackupAndRestore(backup_dir, 2), sums, Never())
    assert sums.total.tolist() == expected.total.tolist()
