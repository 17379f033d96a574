"""Every rule for an argument, tested by error class and wording."""

from __future__ import annotations

import dataclasses
import inspect
import os
import pathlib
import pickle
from datetime import timedelta

import keras
import numpy as np
import pytest
from small_fit import fit, make_model

import rekindle
from rekindle import Auto, Preemption, Retention, inspection
from rekindle.keras import BackupAndRestore


@pytest.mark.parametrize("value", ["", None, b""])
def test_an_empty_backup_dir_is_refused_in_keras_words(value):
    with pytest.raises(ValueError, match=r"^Empty `backup_dir` argument passed") as caught:
        BackupAndRestore(value)
    assert isinstance(caught.value, rekindle.ArgumentError)
    assert caught.value.argument == "backup_dir"


@pytest.mark.parametrize("value", [3, True, ["backup"], object()])
def test_a_backup_dir_that_is_no_path_is_refused(value):
    with pytest.raises(rekindle.ArgumentError, match="Invalid value for argument `backup_dir`"):
        BackupAndRestore(value)


@pytest.mark.parametrize(
    "value", ["hdfs://bucket/run", b"sftp://x/y", pathlib.Path("http://a/b"), "file://host/run"]
)
def test_a_url_is_refused(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    uses = {
        "backup_dir": lambda: BackupAndRestore(value),
        "directory": lambda: inspection.restore_weights(model, value),
        "path": lambda: inspection.export_weights("backup", value, model),
    }
    for argument, use in uses.items():
        with pytest.raises(rekindle.ArgumentError, match="is a URL of a kind") as caught:
            use()
        assert (caught.value.argument, caught.value.value) == (argument, value)
    assert os.listdir(tmp_path) == []


def test_a_file_url_is_its_path(tmp_path):
    callback = BackupAndRestore(f"file://{tmp_path}/a%20b")
    assert callback.backup_dir == str(tmp_path / "a b")


@pytest.mark.parametrize(
    "value",
    [
        "batch",
        0.15,
        True,
        0,
        -1,
        5.0,
        None,
        [1],
        "",
        np.True_,
        "Epoch",
        "10",
        "10 months",
        "0 s",
        "-5 min",
        "5 min ago",
        "min",
        timedelta(0),
        timedelta(seconds=-1),
    ],
)
def test_an_invalid_save_freq_is_refused_in_keras_words(value):
    with pytest.raises(
        ValueError, match=r"^Invalid value for argument `save_freq`\. Received"
    ) as e:
        BackupAndRestore("backup", save_freq=value)
    assert isinstance(e.value, rekindle.ArgumentError)
    assert str(e.value).endswith(
        "Expected 'epoch', a whole number of batches from 1 up, a time such as '90 s', '10 min',"
        " '1.5 h' or '1 day' (or a datetime.timedelta), 'auto', a rekindle.Auto, or False."
    )


@pytest.mark.parametrize(
    "value", ["epoch", 1, 500, False, np.int64(3), "10 min", timedelta(hours=1), "auto", Auto(0.1)]
)
def test_a_valid_save_freq_is_kept(value):
    assert BackupAndRestore("backup", save_freq=value).save_freq == value


@pytest.mark.parametrize("name", ["double_checkpoint", "delete_checkpoint", "restore_history"])
@pytest.mark.parametrize("value", [1, 0, None, "yes"])
def test_flags_are_true_or_false(name, value):
    words = f"Invalid value for argument `{name}`. Received: {name}={value!r}. Expected True or"
    with pytest.raises(rekindle.ArgumentError, match=words):
        BackupAndRestore("backup", **{name: value})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("on_save_error", "ignore", "'warn' or 'raise'"),
        ("verbose", 3, "0, 1 or 2"),
        ("verbose", True, "0, 1 or 2"),
    ],
)
def test_choices_name_what_is_accepted(name, value, expected):
    with pytest.raises(rekindle.ArgumentError, match=f"`{name}`.*Expected {expected}"):
        BackupAndRestore("backup", **{name: value})


@pytest.mark.parametrize("value", ["rate", "", ("batch_size", "lr"), [None], {"loss": 1}, True, 3])
def test_a_change_has_a_name_that_is_known(value):
    names = "'learning_rate', 'weight_decay', 'optimizer', 'loss', 'batch_size', 'steps', 'data'"
    with pytest.raises(rekindle.ArgumentError, match=f"`allow_changes`.*Expected .*{names}"):
        BackupAndRestore("backup", allow_changes=value)


@pytest.mark.parametrize("value", [[1], {1: 2}, {"data": object()}, {"count": 3}, {"x": (1,)}])
def test_extra_state_is_a_dict_of_objects_with_a_state(value):
    with pytest.raises(rekindle.ArgumentError, match="Invalid value for argument `extra_state`"):
        BackupAndRestore("backup", extra_state=value)


@pytest.mark.parametrize("value", [0, -0.1, 1.5, True, "3 %", None, float("nan")])
def test_max_overhead_is_a_share(value):
    with pytest.raises(rekindle.ArgumentError, match=r"a number above 0 and up to 1: 0\.035 is"):
        Auto(max_overhead=value)


@pytest.mark.parametrize("value", [0, -1, True, "often", "0 h", float("inf"), timedelta(0)])
def test_a_mean_time_between_failures_is_a_length_of_time(value):
    words = "Expected a number of seconds above 0, a time such as"
    with pytest.raises(rekindle.ArgumentError, match=words) as caught:
        Auto(mean_time_between_failures=value)
    assert caught.value.argument == "mean_time_between_failures"


@pytest.mark.parametrize("value", [6 * 3600, "6 h", timedelta(hours=6)])
def test_a_mean_time_between_failures_is_kept_in_seconds(value):
    assert Auto(mean_time_between_failures=value).mean_time_between_failures == 6 * 3600.0


@pytest.mark.parametrize("last", [1, 3, None])
def test_double_checkpoint_and_another_number_to_keep_contradict(last):
    with pytest.raises(rekindle.ArgumentError, match="Leave one of them out") as caught:
        BackupAndRestore("backup", double_checkpoint=True, retention=Retention(last))
    assert caught.value.argument == "retention"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("last", 0),
        ("last", True),
        ("last", "all"),
        ("every_hours", 0),
        ("every_hours", "1 h"),
        ("every_hours", float("inf")),
        ("best", "val_loss"),
        ("best", ("val_loss", "lowest", 1)),
        ("best", ("val_loss", "min", 0)),
    ],
)
def test_rules_of_retention_are_checked(name, value):
    with pytest.raises(rekindle.ArgumentError, match=f"`{name}`") as caught:
        Retention(**{name: value})
    assert caught.value.argument == name


@pytest.mark.parametrize("value", [3, {"last": 3}, ("val_loss", "min", 1), Auto()])
def test_what_is_no_retention_is_refused(value):
    with pytest.raises(rekindle.ArgumentError, match=r"Expected a rekindle\.Retention") as caught:
        BackupAndRestore("backup", retention=value)
    assert caught.value.argument == "retention"


@pytest.mark.parametrize(
    "option", [Auto(0.1, 60), Preemption("SIGUSR1"), Retention(2, ("a", "min", 1))]
)
def test_options_are_values(option):
    assert pickle.loads(pickle.dumps(option)) == option  # noqa: S301  (our own)
    assert type(option).__module__ == "rekindle"
    with pytest.raises(dataclasses.FrozenInstanceError):
        option.anything = 1


def test_numbers_of_numpy_become_pythons(backup_dir):
    kept = Retention(np.int64(2), ("loss", "min", np.int64(1)), every_hours=np.float32(2))
    assert (type(kept.last), type(kept.best.count), type(kept.every_hours)) == (int, int, float)
    answer = Preemption(exit_code=np.int64(75), grace=np.float32(3))
    assert (type(answer.exit_code), type(answer.grace)) == (int, float)
    auto = Auto(np.float32(0.05), np.int64(60))
    assert (type(auto.max_overhead), type(auto.mean_time_between_failures)) == (float, float)
    callback = BackupAndRestore(
        backup_dir, auto, retention=kept, save_before_preemption=answer, on_save_error="raise"
    )
    fit(make_model(), callback, epochs=4)
    assert callback.save_report["saves"] >= 1


def test_the_callback_has_few_arguments():
    names = list(inspect.signature(BackupAndRestore).parameters)
    assert names[:4] == ["backup_dir", "save_freq", "double_checkpoint", "delete_checkpoint"]
    assert len(names) <= 14


def test_keyword_arguments_are_keyword_only():
    with pytest.raises(TypeError, match="positional"):
        BackupAndRestore("backup", "epoch", False, True, False)


def test_paths_are_made_absolute_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert BackupAndRestore("a").backup_dir == str(tmp_path / "a")
    assert BackupAndRestore("~/b").backup_dir == str(tmp_path / "home" / "b")
    assert BackupAndRestore(pathlib.Path("c")).backup_dir == str(tmp_path / "c")
    assert BackupAndRestore(os.fsencode("dé")).backup_dir == str(tmp_path / "dé")


def test_it_is_a_callback_of_keras():
    assert isinstance(BackupAndRestore("backup"), keras.callbacks.Callback)


def test_only_a_callback_by_batches_asks_for_batches():
    default = keras.callbacks.Callback.on_train_batch_end
    assert type(BackupAndRestore("backup")).on_train_batch_end is default
    by_batch = BackupAndRestore("backup", save_freq=2).on_train_batch_end
    assert not keras.src.utils.python_utils.is_default(by_batch)
    by_epoch = BackupAndRestore("backup").on_train_batch_end
    assert keras.src.utils.python_utils.is_default(by_epoch)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("signals", ("SIGKILL",)),
        ("signals", ["term"]),
        ("signals", 15),
        ("then", "go on"),
        ("exit_code", 0),
        ("exit_code", 256),
        ("exit_code", True),
        ("grace", -1),
        ("grace", "30"),
        ("grace", float("nan")),
    ],
)
def test_what_is_not_accepted_is_said(argument, value):
    with pytest.raises(rekindle.ArgumentError, match=f"`{argument}`") as caught:
        Preemption(**{argument: value})
    assert caught.value.argument == argument


@pytest.mark.parametrize("value", [1, None, "SIGTERM", {"then": "stop"}])
def test_what_is_no_answer_to_a_signal_is_refused(backup_dir, value):
    words = "Expected True, False or a rekindle.Preemption"
    with pytest.raises(rekindle.ArgumentError, match=words) as caught:
        BackupAndRestore(backup_dir, save_before_preemption=value)
    assert caught.value.argument == "save_before_preemption"


def test_never_saving_at_all_is_refused(backup_dir):
    with pytest.raises(rekindle.ArgumentError, match="nothing would ever be saved"):
        BackupAndRestore(backup_dir, save_freq=False, save_before_preemption=False)
