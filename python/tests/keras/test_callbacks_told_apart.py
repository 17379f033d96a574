"""Callbacks of one class keep their own state, whatever their places; and values of any class."""

from __future__ import annotations

import collections
import warnings

import keras
import numpy as np
import pytest
from small_fit import Interrupt, data, fit, make_model

import rekindle
from rekindle.keras import BackupAndRestore

CB = keras.callbacks


def seeded():
    keras.utils.set_random_seed(1)
    return make_model(optimizer=keras.optimizers.SGD(0.1))


def by_file(folder, name, monitor="val_loss"):
    path = str(folder / f"{name}.weights.h5")
    return CB.ModelCheckpoint(path, monitor, save_best_only=True, save_weights_only=True)


def worse():
    """Makes the loss worse from epoch 2 on."""
    return CB.LearningRateScheduler(lambda epoch: 0.01 if epoch < 2 else 0.9)


def run(backup_dir, *callbacks, epochs=6, backup=None):
    backup = backup or BackupAndRestore(backup_dir)
    fit(seeded(), worse(), *callbacks, backup, epochs=epochs, validation_data=data())
    return backup


def interrupted(backup_dir, *callbacks, epoch=4):
    with pytest.raises(RuntimeError, match="Interrupting!"):
        run(backup_dir, *callbacks, Interrupt(epoch))


@pytest.mark.parametrize("monitor", ["val_mae", "val_loss"])
def test_a_checkpoint_that_gets_a_neighbour_in_front_keeps_its_best_file(
    backup_dir, tmp_path, monitor
):
    old = by_file(tmp_path, "old")
    interrupted(backup_dir, old)
    kept = (tmp_path / "old.weights.h5").read_bytes()
    again, new = by_file(tmp_path, "old"), by_file(tmp_path, "new", monitor)
    backup = run(backup_dir, new, again)
    assert again.best == old.best
    assert (tmp_path / "old.weights.h5").read_bytes() == kept
    assert backup.resume_report["exact"] is True


def test_callbacks_of_one_class_that_change_places_keep_their_own_state(backup_dir, tmp_path):
    def stoppings():
        return [
            CB.EarlyStopping("val_loss", patience=9, mode="min"),
            CB.EarlyStopping("val_loss", patience=9, mode="max"),
            CB.EarlyStopping("val_mae", patience=9, mode="min"),
        ]

    first = stoppings()
    interrupted(backup_dir, *first)
    again = stoppings()
    seen = []
    look = CB.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: seen.append([(one.best, one.wait) for one in again])
    )
    run(backup_dir, *reversed(again), look)
    assert seen[0] == [(one.best, one.wait) for one in first]


class Counts(CB.Callback):
    def __init__(self, step):
        super().__init__()
        self.step, self.total = step, 0

    def on_epoch_end(self, epoch, logs=None):
        self.total += self.step


def test_callbacks_of_the_users_own_class_are_told_apart_by_what_the_script_set(backup_dir):
    interrupted(backup_dir, Counts(1), Counts(10))
    one, ten, hundred = Counts(1), Counts(10), Counts(100)
    backup = run(backup_dir, hundred, ten, one)
    assert (one.total, ten.total, hundred.total) == (6, 60, 200)
    assert backup.resume_report["exact"] is True


def test_one_callback_whose_set_up_has_changed_goes_on_with_its_state(backup_dir):
    interrupted(backup_dir, Counts(1))
    changed = Counts(10)
    run(backup_dir, changed)
    assert changed.total == 24


def test_what_cannot_be_told_apart_is_not_used_and_told(backup_dir):
    interrupted(backup_dir, Counts(1))
    one, other = Counts(10), Counts(100)
    with pytest.warns(rekindle.InexactWarning, match="Counts may be any of those"):
        backup = run(backup_dir, one, other)
    assert (one.total, other.total) == (20, 200)
    assert backup.resume_report["exact"] is False


def test_the_best_value_of_one_metric_does_not_become_that_of_another(backup_dir, tmp_path):
    interrupted(backup_dir, by_file(tmp_path, "best"))
    other = by_file(tmp_path, "best", "val_mae")
    with pytest.warns(rekindle.InexactWarning, match=r"ModelCheckpoint \(monitor='val_loss'\)"):
        run(backup_dir, other)
    assert other.best is not None


class Counting(CB.Callback):
    """Counts in dicts of other classes."""

    def __init__(self):
        super().__init__()
        self.seen = collections.defaultdict(int)
        self.order = collections.OrderedDict()
        self.inside = [collections.OrderedDict()]

    def on_epoch_end(self, epoch, logs=None):
        self.seen[f"epoch {epoch}"] += 1
        self.seen[epoch] += 1
        self.order[3 - epoch] = epoch
        self.order.move_to_end(3 - epoch, last=False)


def test_dicts_of_other_classes_come_back_as_they_were(backup_dir):
    interrupted(backup_dir, Counting(), epoch=3)
    counting = Counting()
    run(backup_dir, counting, epochs=4)
    assert type(counting.seen) is collections.defaultdict
    assert counting.seen == {key: 1 for n in range(4) for key in (f"epoch {n}", n)}
    assert type(counting.order) is collections.OrderedDict
    assert list(counting.order.items()) == [(0, 3), (1, 2), (2, 1), (3, 0)]


def test_a_dict_that_would_lose_its_class_is_named_once_it_changes(backup_dir):
    class Own(dict):
        pass

    class Inside(Counting):
        def on_epoch_end(self, epoch, logs=None):
            self.inside.append(Own(epoch=epoch))

    with pytest.warns(rekindle.InexactWarning, match=r"Inside.inside is of a type") as caught:
        run(backup_dir, Inside(), epochs=2)
    assert sum("Inside" in str(warning.message) for warning in caught) == 1


@pytest.mark.parametrize("value", ["text", True, 2**60])
def test_logs_that_are_no_floats_come_back_in_the_history(backup_dir, value):
    def add():
        return CB.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(extra=value))

    with warnings.catch_warnings():
        warnings.simplefilter("error", rekindle.RekindleWarning)
        interrupted(backup_dir, add(), epoch=2)
        backup = BackupAndRestore(backup_dir, restore_history=True)
        model = seeded()
        fit(model, add(), backup, epochs=3)
    assert model.history.history["extra"] == [value] * 3


@pytest.mark.parametrize("value", [object(), [1, 2.5], {"a": 1}, np.array(["a"])], ids=repr)
def test_logs_that_cannot_be_saved_are_named_and_do_not_end_training(backup_dir, value):
    add = CB.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(extra=value))
    model = seeded()
    with pytest.warns(rekindle.InexactWarning, match=r"logs\['extra'\] is no number") as caught:
        fit(model, add, BackupAndRestore(backup_dir), epochs=3)
    assert len([one for one in caught if "extra" in str(one.message)]) == 1
    assert len(model.history.history["loss"]) == 3
