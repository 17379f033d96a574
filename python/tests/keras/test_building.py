"""Models that make their variables late, or that cannot be called on the data, are resumed."""

from __future__ import annotations

import contextlib
import warnings

import keras
import pytest
from late_models import (
    ON,
    Coder,
    X,
    coder,
    eager,
    functional,
    gan,
    killed_at,
    made_in_build,
    never_and_again,
    not_on_jax,
    numbers,
    on_tensorflow,
    train,
    wrong_shape,
)
from small_fit import Interrupt, assert_same

import rekindle
from rekindle.keras import BackupAndRestore

MAKES = {
    "without call": coder,
    "without call, a part trained": lambda: coder(trains_all=False),
    "without call, built in a step": lambda: coder(lazy=True),
    "with a call for other data": wrong_shape,
    "run eagerly": eager,
    "layers made in build": made_in_build,
    "data of another kind than the input": functional,
}


@on_tensorflow
@pytest.mark.parametrize("save_freq", ["epoch", 1])
@pytest.mark.parametrize("kind", MAKES)
def test_a_model_resumes_however_its_step_builds_it(backup_dir, kind, save_freq):
    make, data = MAKES[kind], X
    if kind == "data of another kind than the input":
        import tensorflow as tf

        data = tf.data.Dataset.from_tensor_slices({"x": X}).batch(8)
    if kind == "layers made in build":
        import tensorflow as tf

        data = tf.data.Dataset.from_tensor_slices((X, X)).batch(8)

    def go(*callbacks):
        keras.utils.set_random_seed(1)
        model = make()
        how = {"shuffle": False} if hasattr(data, "element_spec") else {"batch_size": 8}
        history = model.fit(data, epochs=4, verbose=0, callbacks=list(callbacks), **how)
        return model, history

    never, _ = go()
    backup = BackupAndRestore(backup_dir, save_freq=save_freq)
    with pytest.raises(RuntimeError, match="Interrupting!"):
        go(backup, Interrupt(2, 2))
    again, history = go(BackupAndRestore(backup_dir, save_freq=save_freq))
    assert history.epoch == [2, 3]
    assert_same(numbers(again), numbers(never))
    assert_same(numbers(again.optimizer), numbers(never.optimizer))
    assert not backup_dir.exists()


@not_on_jax
@pytest.mark.parametrize("lazy", [False, True] if ON == "tensorflow" else [False])
def test_an_optimizer_that_is_compiled_and_never_used_does_not_keep_a_run_from_resuming(
    backup_dir, lazy
):
    def make():
        return gan(lazy=lazy)

    never = train(make)
    killed_at(make, 2, 1, backup_dir, "epoch")
    again = train(make, BackupAndRestore(backup_dir))
    assert_same(numbers(again), numbers(never))
    if ON == "tensorflow":
        assert not again.optimizer.built


@not_on_jax
@pytest.mark.filterwarnings("error::rekindle.RekindleWarning")
@pytest.mark.parametrize("save_freq", ["epoch", 1])
@pytest.mark.parametrize("lazy", [False, True] if ON == "tensorflow" else [False])
def test_optimizers_beside_the_models_own_go_on_exactly(backup_dir, save_freq, lazy):
    def make():
        return gan(keras.optimizers.Adam, lazy=lazy)

    never = train(make)
    killed_at(make, 2, 2, backup_dir, save_freq)
    backup = BackupAndRestore(backup_dir, save_freq=save_freq)
    again = train(make, backup)
    assert backup.resume_report["exact"] is True
    for part in ("d_optimizer", "g_optimizer"):
        assert len(numbers(getattr(never, part))) == 6
        assert_same(numbers(getattr(again, part)), numbers(getattr(never, part)))
    assert_same(numbers(again), numbers(never))


@pytest.mark.skipif(ON != "torch", reason="an optimizer of PyTorch")
@pytest.mark.filterwarnings("error::rekindle.RekindleWarning")
def test_an_optimizer_of_pytorch_in_a_list_goes_on_exactly(backup_dir):
    import torch

    class Theirs(keras.Model):
        def __init__(self):
            super().__init__()
            self.net = torch.nn.Linear(6, 1)
            self.theirs = [torch.optim.Adam(self.net.parameters(), 0.05)]
            self.built = True

        def train_step(self, x):
            (theirs,) = self.theirs
            theirs.zero_grad()
            loss = (self.net(x) ** 2).mean()
            loss.backward()
            theirs.step()
            return {"loss": loss}

    def make():
        model = Theirs()
        model.compile()
        return model

    never = train(make)
    killed_at(make, 2, 2, backup_dir, 1)
    again = train(make, BackupAndRestore(backup_dir, save_freq=1))
    assert_same(numbers(again), numbers(never))


@not_on_jax
def test_an_optimizer_that_the_backup_does_not_have_is_named(backup_dir):
    def other():
        model = gan()
        model.third = keras.optimizers.SGD(0.1)
        return model

    killed_at(gan, 2, None, backup_dir, "epoch")
    backup = BackupAndRestore(backup_dir)
    with pytest.warns(rekindle.InexactWarning, match=r"Gan.third is not in the backup"):
        train(other, backup)
    assert backup.resume_report["exact"] is False


@not_on_jax
def test_optimizers_in_extra_state_are_not_warned_about_and_resume_exactly(backup_dir):
    built = ON == "tensorflow"

    def run(*callbacks):
        keras.utils.set_random_seed(1)
        model = gan(keras.optimizers.Adam)
        if not built:
            model.d_optimizer.build(model.d.trainable_variables)
            model.g_optimizer.build(model.g.trainable_variables)
        extra = {"d": model.d_optimizer, "g": model.g_optimizer}
        backup = BackupAndRestore(backup_dir, extra_state=extra)
        model.fit(X, epochs=4, batch_size=8, verbose=0, callbacks=[backup, *callbacks])
        return model

    never, again = never_and_again(run)
    for part in ("d_optimizer", "g_optimizer"):
        assert_same(numbers(getattr(again, part)), numbers(getattr(never, part)))
    assert_same(numbers(again), numbers(never))


class Grows(keras.callbacks.Callback):
    """Builds a layer of the model in an epoch, by default the second."""

    def __init__(self, at=1):
        super().__init__()
        self.at = at

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.at:
            self.model.more.build((None, 6))


@pytest.mark.parametrize("save_freq", ["epoch", 1, 7])
def test_variables_that_come_in_a_later_epoch_are_named_at_the_first_save_that_has_them(
    backup_dir, save_freq
):
    def run(*callbacks):
        model = made_in_build()
        model.more = keras.layers.Dense(2, name="more", trainable=False)
        model.build((None, 6))
        model.fit(X, X, epochs=4, batch_size=8, verbose=0, callbacks=list(callbacks))

    backup = BackupAndRestore(backup_dir, save_freq=save_freq)
    warns = pytest.warns(rekindle.InexactWarning, match="created during training")
    with warns as caught, contextlib.suppress(RuntimeError):
        run(backup, Grows(), Interrupt(3))
    texts = [str(one.message) for one in caught if "created during training" in str(one.message)]
    assert len(texts) == 1
    assert "more/kernel" in texts[0]
    with pytest.raises(rekindle.MismatchError, match="Build them before fit") as error:
        run(BackupAndRestore(backup_dir))
    assert any("more/kernel" in line for line in error.value.differences)


def test_a_model_that_fit_itself_builds_is_not_warned_about(backup_dir):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = made_in_build()
        backup = BackupAndRestore(backup_dir)
        model.fit(X, X, epochs=2, batch_size=8, verbose=0, callbacks=[backup])


@on_tensorflow
def test_variables_that_cannot_be_made_again_are_an_error_that_names_them(backup_dir):
    class Later(Coder):
        later = None

        def train_step(self, x):
            if Later.later is not None and not Later.later.built:
                raise ValueError("not yet")
            return super().train_step(x)

    def make():
        model = Later(lazy=True)
        model.compile("adam")
        return model

    killed_at(make, 2, 1, backup_dir, "epoch")
    before = sorted(p.name for p in backup_dir.glob("ckpt*"))
    Later.later = keras.layers.Dense(1)
    with pytest.raises(rekindle.MismatchError, match="Build them before fit") as caught:
        train(make, BackupAndRestore(backup_dir))
    assert any("kernel" in line for line in caught.value.differences)
    assert sorted(p.name for p in backup_dir.glob("ckpt*")) == before


@on_tensorflow
def test_a_layer_that_only_training_calls_is_resumed(backup_dir):
    class Auxiliary(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.last = keras.layers.Dense(4), keras.layers.Dense(6)
            self.beside = keras.layers.Dense(2)

        def call(self, x, training=False):
            hidden = self.first(x)
            if training:
                self.add_loss(keras.ops.mean(self.beside(hidden) ** 2))
            return self.last(hidden)

    def run(*callbacks):
        keras.utils.set_random_seed(1)
        model = Auxiliary()
        model.compile("adam", "mse")
        backup = BackupAndRestore(backup_dir)
        model.fit(X, X, epochs=4, batch_size=8, verbose=0, callbacks=[backup, *callbacks])
        return model

    never, again = never_and_again(run)
    assert_same(numbers(again), numbers(never))
    assert_same(numbers(again.optimizer), numbers(never.optimizer))
