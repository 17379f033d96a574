"""State of a model beside its variables: buffers, attributes, what layers save themselves."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import forks
import keras
import numpy as np
import pytest
from never_and_again import ON, X, every, never_and_again, on_tensorflow, on_torch, train
from small_fit import Interrupt, assert_same, values

import rekindle
from rekindle.keras import BackupAndRestore


def with_modules():
    import torch

    class Scale(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("kept", torch.zeros(8))
            self.register_buffer("left_out", torch.zeros(1), persistent=False)
            self.plain, self.calls = torch.zeros(2), 0
            self.extra = 0

        def forward(self, x):
            if self.training:
                self.kept.mul_(0.9).add_(x.detach().mean(0))
                self.left_out.add_(1)
                self.plain = self.plain + x.detach().sum()
                self.calls += 1
                self.last = x
            return x * (1 + 0.01 * self.kept.tanh()) + 1e-3 * self.left_out + self.plain[0] * 1e-6

    body = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.BatchNorm1d(8), Scale())
    wrapped = keras.layers.TorchModuleWrapper(body)
    return keras.Sequential([keras.layers.Input((6,)), wrapped, keras.layers.Dense(1)])


@on_torch
@every
def test_buffers_and_plain_tensors_of_torch_modules_come_back(backup_dir, save_freq):
    never, again = never_and_again(with_modules, backup_dir, save_freq)
    one, other = (model.layers[0].module for model in (never, again))
    for name, buffer in one.named_buffers():
        assert_same([dict(other.named_buffers())[name].numpy()], [buffer.numpy()])
    assert int(one[1].num_batches_tracked) == 20
    assert float(one[2].left_out) == one[2].calls == other[2].calls == 20
    assert_same([other[2].plain.numpy()], [one[2].plain.numpy()])


@on_torch
def test_a_module_with_other_buffers_is_refused_and_nothing_is_changed(backup_dir):
    import torch

    with pytest.raises(RuntimeError, match="Interrupting!"):
        train(with_modules, BackupAndRestore(backup_dir), Interrupt(2))

    def other():
        model = with_modules()
        model.layers[0].module[2].left_out = torch.zeros(8)
        return model

    with pytest.raises(rekindle.MismatchError, match=r"left_out: expected float32 \(8,\)"):
        train(other, BackupAndRestore(backup_dir))


@on_torch
def test_a_buffer_that_training_adds_is_named_at_the_first_save(backup_dir):
    class Add(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            import torch

            self.model.layers[0].module[2].register_buffer("late", torch.zeros(1))

    with pytest.warns(rekindle.InexactWarning, match=r"late did not exist when training began"):
        train(with_modules, BackupAndRestore(backup_dir), Add(), epochs=1)


class Memory(keras.layers.Layer):
    """A layer that saves an array by Keras' own hooks. Its attribute is of no class of arrays."""

    def __init__(self):
        super().__init__()
        self.held = {"seen": Held()}
        self.dense = keras.layers.Dense(6)

    def build(self, shape):
        self.dense.build(shape)

    def call(self, x):
        return self.dense(x)

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["seen"], store["count"] = self.held["seen"].array, self.held["seen"].count

    def load_own_variables(self, store):
        held = self.held["seen"]
        held.array, held.count = np.array(store["seen"]), int(np.asarray(store["count"]))


class Held:
    __slots__ = ("array", "count")

    def __init__(self):
        self.array, self.count = np.zeros(3), 0


class Counts(keras.callbacks.Callback):
    """Changes what the layer holds, at each epoch's end."""

    def on_epoch_end(self, epoch, logs=None):
        held = self.model.layers[0].held["seen"]
        held.array += epoch + 0.5
        held.count += 1


@every
def test_what_a_layer_saves_by_the_hooks_of_keras_comes_back(backup_dir, save_freq):
    def make():
        return keras.Sequential([keras.layers.Input((6,)), Memory(), keras.layers.Dense(1)])

    never = train(make, Counts())
    backup = BackupAndRestore(backup_dir, save_freq=save_freq)
    with pytest.raises(RuntimeError, match="Interrupting!"):
        train(make, Counts(), backup, Interrupt(2, 3))
    again = train(make, BackupAndRestore(backup_dir, save_freq=save_freq), Counts())
    one, other = (model.layers[0].held["seen"] for model in (never, again))
    assert_same([other.array], [one.array])
    assert other.count == one.count == 4
    assert_same(values(again), values(never))


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_layer_saves_and_cannot_be_kept_is_named(backup_dir, fails):
    class Odd(Memory):
        def save_own_variables(self, store):
            if fails:
                raise NotImplementedError
            store["odd"] = object()

    def make():
        return keras.Sequential([keras.layers.Input((6,)), Odd(), keras.layers.Dense(1)])

    with pytest.warns(rekindle.InexactWarning, match=r"Odd.save_own_variables\(\)"):
        train(make, BackupAndRestore(backup_dir), epochs=1)


@every
def test_attributes_of_a_model_and_its_layers_that_training_changes_come_back(
    backup_dir, save_freq
):
    class Noisy(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.level, self.seen = 0.0, [0]

        def call(self, x):
            return x

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.noisy, self.dense = Noisy(), keras.layers.Dense(1)
            self.rng, self.phase = np.random.default_rng(3), 0
            self.dense.build((None, 6))
            self.built = True

        def call(self, x):
            return self.dense(self.noisy(x))

    class Anneal(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            model = self.model
            model.phase += 1
            model.noisy.level += model.rng.normal()
            model.noisy.seen = [*model.noisy.seen, model.phase]

    never = train(Model, Anneal())
    backup = BackupAndRestore(backup_dir, save_freq=save_freq)
    with pytest.raises(RuntimeError, match="Interrupting!"):
        train(Model, Anneal(), backup, Interrupt(2, 3))
    again = train(Model, BackupAndRestore(backup_dir, save_freq=save_freq), Anneal())
    assert again.phase == never.phase == 4
    assert again.noisy.level == never.noisy.level
    assert list(again.noisy.seen) == list(never.noisy.seen) == [0, 1, 2, 3, 4]
    assert again.rng.normal() == never.rng.normal()


def test_a_normalization_that_was_adapted_to_other_data_computes_with_the_saved_mean(backup_dir):
    def make(x=X[:20]):
        layer = keras.layers.Normalization()
        layer.adapt(x)
        return keras.Sequential([keras.layers.Input((6,)), layer, keras.layers.Dense(1)])

    never = train(make)
    with pytest.raises(RuntimeError, match="Interrupting!"):
        train(make, BackupAndRestore(backup_dir), Interrupt(2))
    again = train(lambda: make(X[20:]), BackupAndRestore(backup_dir))
    assert_same(values(again), values(never))
    assert_same([again.predict(X, verbose=0)], [never.predict(X, verbose=0)])


@on_tensorflow
@every
def test_variables_of_tensorflow_in_a_layer_come_back(backup_dir, save_freq):
    import tensorflow as tf

    class Counter(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.count = tf.Variable(0.0, trainable=False)
            self.more = [tf.Variable([1.0, 2.0], trainable=False)]

        def call(self, x):
            self.count.assign_add(1.0)
            self.more[0].assign(self.more[0] * 1.5)
            return x + 1e-3 * self.count

    def make():
        return keras.Sequential([keras.layers.Input((6,)), Counter(), keras.layers.Dense(1)])

    never, again = never_and_again(make, backup_dir, save_freq)
    one, other = (model.layers[0] for model in (never, again))
    assert float(one.count) == float(other.count)
    assert_same([other.more[0].numpy()], [one.more[0].numpy()])


@pytest.mark.skipif(ON == "torch", reason="Keras itself fails to train it on PyTorch")
@every
def test_a_stateful_rnn_resumes_with_its_states(backup_dir, save_freq):
    def make():
        return keras.Sequential(
            [
                keras.layers.Input(batch_shape=(8, 6)),
                keras.layers.Reshape((3, 2)),
                keras.layers.LSTM(3, stateful=True),
                keras.layers.Dense(1),
            ]
        )

    never, again = never_and_again(make, backup_dir, save_freq)
    for one, other in zip(never.layers[1].states, again.layers[1].states, strict=True):
        assert_same([keras.ops.convert_to_numpy(other)], [keras.ops.convert_to_numpy(one)])


def test_a_killed_process_and_the_next_one_end_as_one_never_killed(tmp_path):
    script = Path(__file__).with_name("own_state_run.py")
    never, killed = tmp_path / "never", tmp_path / "killed"
    never.mkdir()
    killed.mkdir()
    status, expected, errors = forks.run(script, never)
    assert status == 0, errors
    status, _, errors = forks.run(script, killed, "die")
    assert status == -signal.SIGKILL, errors
    # Other tests resume in a fork of a process that has imported the libraries; this one does not.
    again = subprocess.run(
        [sys.executable, script, killed], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    expected, found = json.loads(expected), json.loads(again.stdout)
    assert (expected.pop("exact"), found.pop("exact")) == (None, True)
    assert found == expected
