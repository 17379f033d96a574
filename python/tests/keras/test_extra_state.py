"""Objects in `extra_state` that differ from their form at the save."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from small_fit import assert_same, fit, interrupt, make_model, values

import rekindle
from rekindle.keras import BackupAndRestore


def optimizer(built):
    made = keras.optimizers.Adam(0.1)
    if built:
        made.build([keras.Variable(np.ones(3, "float32"), name="trained")])
    return made


def layer(built, width=2):
    made = keras.layers.Dense(width)
    if built:
        made.build((None, 3))
    return made


def metric(built):
    return keras.metrics.MeanIoU(2) if built else keras.metrics.MeanSquaredError()


def accumulating(built):
    """A metric that makes its variables when it sees the first data."""
    made = keras.metrics.AUC(multi_label=True)
    if built:
        made.update_state(np.array([[0.0, 1.0]]), np.array([[0.1, 0.9]]))
    return made


KINDS = {
    "an optimizer": (optimizer, "Adam that is not built yet. Build it first.*optimizer.build"),
    "a layer": (layer, "Dense that is not built yet. Build it first.*calling it on data"),
    "a metric": (accumulating, "AUC that is not built yet. Build it first.*calling it"),
    "another metric": (metric, "total: expected a value in the backup, found none"),
    "a layer of another shape": (
        lambda built: layer(True, 2 if built else 4),
        r"kernel: expected float32 \(3, 4\), found float32 \(3, 2\)",
    ),
    "an object of another kind": (
        lambda built: np.random.default_rng(1) if built else layer(True),
        "expected the variables of a Dense, found the state of a 'numpy.Generator'",
    ),
    "another generator": (
        lambda built: np.random.Generator((np.random.PCG64 if built else np.random.MT19937)(1)),
        "bit_generator: expected MT19937, found PCG64",
    ),
    "an array of another shape": (
        lambda built: np.zeros(3 if built else 4),
        r"expected float64 \(4,\), found float64 \(3,\)",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_that_is_not_ready_is_a_mismatch_that_says_what_to_do(backup_dir, kind):
    make, expected = KINDS[kind]
    interrupt(make_model(), BackupAndRestore(backup_dir, extra_state={"mine": make(True)}), 2)
    before = sorted((p.name, p.read_bytes()) for p in backup_dir.glob("ckpt*"))
    model = make_model()
    model.optimizer.build(model.trainable_variables)
    untouched = values(model)
    with pytest.raises(rekindle.MismatchError, match=expected) as caught:
        fit(model, BackupAndRestore(backup_dir, extra_state={"mine": make(False)}))
    assert "Nothing was changed" in str(caught.value)
    assert all(line.startswith("extra_state['mine']") for line in caught.value.differences)
    assert_same(values(model), untouched)
    assert sorted((p.name, p.read_bytes()) for p in backup_dir.glob("ckpt*")) == before
    ready = make(True)
    assert fit(make_model(), BackupAndRestore(backup_dir, extra_state={"mine": ready})).epoch == [2]


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="its first step is traced")
def test_an_object_that_is_built_in_training_is_named_at_the_first_save(backup_dir):
    made = keras.optimizers.Adam(0.1)
    trained = keras.Variable(np.ones(3, "float32"), name="trained")

    class Build(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if not made.built:
                made.build([trained])

    backup = BackupAndRestore(backup_dir, extra_state={"mine": made})
    with pytest.warns(rekindle.InexactWarning, match="created during training") as caught:
        fit(make_model(), backup, Build())
    [text] = [str(one.message) for one in caught]
    assert "extra_state['mine']" in text
    assert "optimizer.build(variables)" in text
