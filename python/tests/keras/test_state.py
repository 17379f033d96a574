"""State other than the weights, and weights of other kinds."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from small_fit import Interrupt, Probe, assert_same, data, fit, interrupt, make_model, values

from rekindle.keras import BackupAndRestore


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
    # The list is an attribute of the model, and comes back, too.
    rows = train()
    assert len(first[-1]) == 20 + 12
    assert rows[: 20 + 12] == first[-1]
    for epoch in range(3):
        assert sorted(rows[epoch * 20 : (epoch + 1) * 20]) == sorted(data()[0][:, 0].tolist())
    assert rows[:20] != rows[20:40]


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
