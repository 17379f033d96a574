"""The table of attributes that training changes in Keras' callbacks fits the installed Keras."""

from __future__ import annotations

from importlib.util import find_spec

import keras
import numpy as np
from small_fit import make_model

from rekindle._training.callbacks import table


def keras_callbacks(folder):
    """One instance of each of Keras' callbacks, by the name of its class."""
    kinds = keras.callbacks
    path = str(folder / "weights.weights.h5")
    made = [
        kinds.CSVLogger(str(folder / "log.csv")),
        kinds.EarlyStopping(monitor="loss", patience=9, restore_best_weights=True),
        kinds.EarlyStopping(monitor="loss", patience=9, baseline=0.0),
        kinds.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
        kinds.LearningRateScheduler(lambda epoch, lr: lr * 0.9),
        kinds.ModelCheckpoint(path, monitor="loss", save_best_only=True, save_weights_only=True),
        kinds.ModelCheckpoint(path, save_freq=3, save_weights_only=True),
        kinds.ProgbarLogger(),
        kinds.ReduceLROnPlateau(monitor="loss", patience=1, min_delta=9.0, cooldown=1),
        kinds.SwapEMAWeights(swap_on_epoch=True),
        kinds.TerminateOnNaN(),
        kinds.BackupAndRestore(str(folder / "theirs"), save_freq=3),
    ]
    if find_spec("tensorflow") is not None:
        made.append(kinds.TensorBoard(str(folder / "logs"), update_freq=1))
    return made


# Callbacks that need a server, or packages that may be missing.
NOT_RUN = {"RemoteMonitor", "OrbaxCheckpoint", "TensorBoard"}


def test_the_table_has_every_attribute_of_keras_callbacks_that_a_fit_changes(tmp_path):
    made = keras_callbacks(tmp_path)
    public = {
        name
        for name, kind in vars(keras.callbacks).items()
        if isinstance(kind, type) and issubclass(kind, keras.callbacks.Callback)
    }
    public -= {"CallbackList"}
    assert public - {"Callback", "History"} <= {type(one).__name__ for one in made} | NOT_RUN
    assert public <= set(table._STATE)
    seen = []

    def look(*_, logs=None):
        for callback, values in zip(made, seen or [{}] * len(made), strict=True):
            values.setdefault("before", {k: repr(v) for k, v in vars(callback).items()})
            changed = {
                name
                for name, value in vars(callback).items()
                if repr(value) != values["before"].get(name)
            }
            values.setdefault("changed", set()).update(changed)

    def begin(*_, logs=None):
        seen[:] = [{} for _ in made]
        look()

    watch = keras.callbacks.LambdaCallback(
        on_train_begin=begin, on_epoch_end=look, on_train_batch_end=look
    )
    model = make_model(optimizer=keras.optimizers.SGD(use_ema=True))
    model.fit(*(np.ones((20, n)) for n in (3, 1)), epochs=4, verbose=0, callbacks=[*made, watch])
    for callback, values in zip(made, seen, strict=True):
        kind = type(callback)
        known = table._state(kind) | table.transient(kind)
        assert values["changed"] - {"_model", "model", "params"} <= known, kind.__name__
    changed = set().union(*(values["changed"] for values in seen))
    assert {"wait", "best", "keys", "cooldown_counter"} <= changed


def test_a_loop_of_the_users_own_may_give_callbacks_tensors():
    fits = table.rule(keras.callbacks.EarlyStopping, "best")
    assert fits(keras.ops.convert_to_tensor(0.5))
    assert not fits(keras.ops.convert_to_tensor([0.5, 1.0]))
    assert not fits("/etc/passwd")
