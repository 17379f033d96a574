"""Changes that a script names in `allow_changes`: no warning, a note, and evidence that says so."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from small_fit import Interrupt, fit, interrupt, make_model, run_code

import rekindle
from rekindle._keras import fingerprint as keras_settings
from rekindle._training import changes
from rekindle._training.changes import AllowedChanges
from rekindle._training.fit import Fit
from rekindle.keras import BackupAndRestore


def adam(rate=0.01, **more):
    return make_model(optimizer=keras.optimizers.Adam(rate, **more))


def resumed(model, backup_dir, allowed, **more):
    """Resumes. Returns the report; a warning of rekindle is an error."""
    backup = BackupAndRestore(backup_dir, allow_changes=allowed)
    with warnings.catch_warnings():
        warnings.simplefilter("error", rekindle.RekindleWarning)
        fit(model, backup, **more)
    return backup.resume_report


@pytest.mark.parametrize(
    ("allowed", "model", "more", "setting"),
    [
        ("learning_rate", {"rate": 0.001}, {}, "the optimizer's learning_rate"),
        (["weight_decay"], {"weight_decay": 0.1}, {}, "the optimizer's weight_decay"),
        (("optimizer",), {"rate": 0.001, "beta_1": 0.8}, {}, "the optimizer's beta_1"),
        ({"batch_size"}, {}, {"batch_size": 5}, "batch size"),
        ("data", {}, {"samples": 24}, "number of samples"),
        (("data", "batch_size"), {}, {"shuffle": False}, "shuffle"),
        ("steps", {}, {"steps_per_epoch": 4, "epochs": 2}, "steps_per_epoch"),
        ("loss", {}, {"class_weight": {0: 2.0}}, "class_weight"),
    ],
)
def test_a_change_that_is_named_is_noted_and_not_warned_of(
    backup_dir, allowed, model, more, setting
):
    interrupt(adam(), BackupAndRestore(backup_dir), 1)
    with pytest.raises(rekindle.MismatchError, match="If you mean"):
        fit(adam(**model), BackupAndRestore(backup_dir), **more)
    report = resumed(adam(**model), backup_dir, allowed, **more)
    assert (report["epoch"], report["evidence"], report["exact"]) == (1, "changed", False)
    assert [note for note in report["notes"] if note.startswith(f"{setting}: expected")]


def test_a_change_that_is_not_named_is_refused_and_only_that_is_listed(backup_dir):
    interrupt(adam(), BackupAndRestore(backup_dir), 1)
    backup = BackupAndRestore(backup_dir, allow_changes="learning_rate")
    with pytest.raises(rekindle.MismatchError, match='allow_changes`: "batch_size"') as caught:
        fit(adam(0.001), backup, batch_size=5)
    assert [line.partition(":")[0] for line in caught.value.differences] == [
        "batch size",
        "batches in an epoch",
    ]


def test_in_the_middle_of_an_epoch_what_follows_from_a_change_is_meant_too(backup_dir):
    interrupt(adam(), BackupAndRestore(backup_dir, 2), 1, 3)
    report = resumed(adam(), backup_dir, "batch_size", batch_size=2)
    assert (report["epoch"], report["batch"]) == (1, 3)
    # On TensorFlow, batches stay inside of its graph.
    is_seen = changes.OTHER_BATCHES in report["notes"][-1]
    assert is_seen == (keras.backend.backend() != "tensorflow")


def test_a_name_without_a_change_changes_nothing(backup_dir):
    interrupt(adam(), BackupAndRestore(backup_dir, 2), 1, 3)
    names = ("learning_rate", "batch_size", "data", "callbacks", "versions", "devices", "epochs")
    report = resumed(adam(), backup_dir, names, shuffle=True)
    assert (report["exact"], report["notes"]) == (True, [])


def arrays(scale):
    rng = np.random.RandomState(1)
    return scale * rng.normal(size=(20, 3)).astype("float32"), rng.normal(size=(20, 1))


class Kill(keras.callbacks.Callback):
    """Ends training in the second epoch, four batches after the checkpoint."""

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == 9:
            raise RuntimeError("Interrupting!")


def on_arrays(backup, *callbacks, scale=1, loss="mse"):
    keras.utils.set_random_seed(1)
    model = make_model()
    model.compile("adam", loss)
    x, y = arrays(scale)
    model.fit(x, y, epochs=3, batch_size=4, verbose=0, callbacks=[*callbacks, backup])
    return backup.resume_report


@pytest.mark.parametrize(
    ("allowed", "change", "noted"),
    [
        ("data", {"scale": 2}, "the data is not|the loss is not"),
        ("loss", {"loss": keras.losses.Huber(0.1)}, "the loss is not"),
    ],
)
def test_a_change_that_no_setting_shows_is_seen_and_taken_for_what_is_meant(
    backup_dir, allowed, change, noted
):
    first = {"loss": keras.losses.Huber(1.0)} if allowed == "loss" else {}
    with pytest.raises(RuntimeError):
        on_arrays(BackupAndRestore(backup_dir), Kill(), **first)
    backup = BackupAndRestore(backup_dir, allow_changes=allowed, on_difference="raise")
    with warnings.catch_warnings():
        warnings.simplefilter("error", rekindle.RekindleWarning)
        report = on_arrays(backup, **change)
    assert (report["evidence"], report["exact"]) == ("changed", False)
    (note,) = report["notes"]
    assert any(words in note for words in noted.split("|"))


def test_the_same_change_that_is_not_named_is_a_difference(backup_dir):
    with pytest.raises(RuntimeError):
        on_arrays(BackupAndRestore(backup_dir), Kill())
    backup = BackupAndRestore(backup_dir, allow_changes=("weight_decay", "batch_size"))
    with pytest.warns(rekindle.InexactWarning, match="differs from the interrupted one"):
        report = on_arrays(backup, scale=2)
    assert report["evidence"] == "differs"


class Counter(keras.callbacks.Callback):
    count = 0

    def on_epoch_end(self, epoch, logs=None):
        self.count = self.count + 1


def test_a_callback_that_was_left_out_on_purpose_is_noted_only(backup_dir):
    interrupt(make_model(), BackupAndRestore(backup_dir), 2, more_callbacks=(Counter(),))
    report = resumed(make_model(), backup_dir, "callbacks")
    (note,) = report["notes"]
    assert note.startswith("the callback Counter is no longer in the list")
    assert report["exact"] is False


@pytest.mark.parametrize(
    "make",
    [
        lambda home: keras.callbacks.CSVLogger(home / "log.csv"),
        lambda home: keras.callbacks.ModelCheckpoint(home / "best.keras", "loss"),
    ],
)
def test_a_callback_of_keras_that_only_watches_may_be_left_out(backup_dir, tmp_path, make):
    one = make(tmp_path)
    interrupt(make_model(), BackupAndRestore(backup_dir), 2, more_callbacks=(one,))
    if hasattr(one, "csv_file"):
        one.csv_file.close()
    report = resumed(make_model(), backup_dir, None)
    assert (report["epoch"], report["notes"], report["exact"]) == (2, [], True)


def test_a_callback_of_that_class_with_more_in_it_is_another_matter(backup_dir, tmp_path):
    class ModelCheckpoint(keras.callbacks.ModelCheckpoint):
        count = 0

        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            self.count = self.count + 1

    one = ModelCheckpoint(tmp_path / "best.keras")
    interrupt(make_model(), BackupAndRestore(backup_dir), 2, more_callbacks=(one,))
    with pytest.warns(
        rekindle.InexactWarning, match="the callback ModelCheckpoint .* is no longer"
    ):
        fit(make_model(), BackupAndRestore(backup_dir))


def test_another_version_is_warned_of_unless_it_is_named(backup_dir, monkeypatch):
    interrupt(make_model(), BackupAndRestore(backup_dir), 1)
    monkeypatch.setattr(keras_settings.keras, "__version__", "3.99.0")
    backup = BackupAndRestore(backup_dir)
    with pytest.warns(rekindle.InexactWarning, match=r"keras: expected '3\.99\.0'"):
        interrupt(make_model(), backup, 2)
    assert backup.resume_report["evidence"] == "changed"
    monkeypatch.undo()
    report = resumed(make_model(), backup_dir, "versions")
    assert report["evidence"] == "changed"


ON_DEVICES = """
    import sys, keras
    from small_fit import fit, interrupt, make_model
    from rekindle.keras import BackupAndRestore
    keras.utils.set_random_seed(1)
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    keras.config.disable_traceback_filtering()
    interrupt(make_model(), BackupAndRestore(sys.argv[1]), 2)
"""


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="Keras has meshes of CPUs on JAX")
@pytest.mark.parametrize("allowed", [None, "devices"])
def test_another_mesh_is_noted(backup_dir, allowed):
    two = "--xla_force_host_platform_device_count=2"
    run_code(ON_DEVICES, backup_dir, XLA_FLAGS=two)
    note = "devices: expected '1 cpu', found '2 cpu in a mesh of 2' in the backup"
    if allowed:
        report = resumed(make_model(), backup_dir, allowed)
    else:
        backup = BackupAndRestore(backup_dir)
        with pytest.warns(rekindle.InexactWarning, match=note):
            fit(make_model(), backup)
        report = backup.resume_report
    assert (report["epoch"], report["evidence"]) == (2, "changed")
    assert report["notes"] == [note]


def test_each_setting_that_is_compared_has_a_name(backup_dir, monkeypatch):
    found = []
    begin = Fit._begin

    def spied(self):
        begin(self)
        found.extend(self._trainer.fingerprint())

    monkeypatch.setattr(Fit, "_begin", spied)
    model = keras.Sequential(
        [keras.layers.Input((3,)), keras.layers.Discretization([0.0]), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    with pytest.raises(RuntimeError):
        fit(model, BackupAndRestore(backup_dir), Interrupt(1))
    lines = [f"{setting}: expected 1, found 2 in the backup" for setting in found]
    every = [name for name in changes.NAMES if name != changes.ALL]
    assert len(lines) > 15
    assert AllowedChanges.of(every).refused(lines) == []


def test_on_mismatch_stands_for_all_changes_or_none(backup_dir):
    interrupt(make_model(), BackupAndRestore(backup_dir), 1)
    with pytest.raises(rekindle.MismatchError, match='allow_changes`: "batch_size"'):
        fit(make_model(), BackupAndRestore(backup_dir, on_mismatch="error"), batch_size=5)
    backup = BackupAndRestore(backup_dir, on_mismatch="warn")
    with pytest.warns(rekindle.InexactWarning, match="may differ"):
        fit(make_model(), backup, batch_size=5)
    assert backup.resume_report["evidence"] == "changed"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"on_mismatch": "ignore"}, "`on_mismatch`"),
        ({"on_mismatch": True}, "`on_mismatch`"),
        ({"on_mismatch": "warn", "allow_changes": "data"}, "`on_mismatch`, not both"),
    ],
)
def test_a_wrong_on_mismatch_is_refused(given, name):
    with pytest.raises(rekindle.ArgumentError, match=name):
        BackupAndRestore("backup", **given)
