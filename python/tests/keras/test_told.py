"""A checkpoint tells the run that resumes from it what is not exact, and so do later ones."""

from __future__ import annotations

import os
import warnings

import keras
import pytest
from small_fit import fit, interrupt, make_model

import rekindle
from rekindle.keras import BackupAndRestore


def bare():
    return (number for number in range(3))


class Holds(keras.callbacks.Callback):
    """Makes something that no checkpoint takes."""

    def __init__(self, make=bare):
        super().__init__()
        self.make, self.held = make, None

    def on_epoch_end(self, epoch, logs=None):
        self.held = self.make()


def resumed(backup_dir, *others, until=None):
    """The report of a start that is interrupted, or not."""
    backup = BackupAndRestore(backup_dir)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rekindle.RekindleWarning)
        if until is None:
            fit(make_model(), *others, backup, epochs=6)
        else:
            interrupt(make_model(), backup, until, None, others)
    return backup.resume_report


def test_what_a_checkpoint_does_not_hold_is_noted_at_each_resume(backup_dir):
    with pytest.warns(rekindle.InexactWarning, match=r"Holds.held is of a type"):
        interrupt(make_model(), BackupAndRestore(backup_dir), 2, None, [Holds()])
    with pytest.warns(rekindle.InexactWarning, match=r"Holds.held is of a type") as caught:
        interrupt(make_model(), BackupAndRestore(backup_dir), 3, None, [Holds()])
    assert str(caught[0].message).startswith("The resumed run may differ from the interrupted one")
    for until in (4, None):
        report = resumed(backup_dir, Holds(), until=until)
        assert report["exact"] is False
        [note] = [one for one in report["notes"] if one.startswith("Holds.held")]
        assert "is of a type that cannot be saved (a value of type 'generator')" in note


def test_what_a_later_checkpoint_holds_again_is_noted_as_of_an_earlier_start(backup_dir):
    with pytest.warns(rekindle.InexactWarning):
        interrupt(make_model(), BackupAndRestore(backup_dir), 2, None, [Holds()])
    resumed(backup_dir, Holds(int), until=4)
    report = resumed(backup_dir, Holds(int))
    [note] = report["notes"]
    assert note.startswith("an earlier start of this run was not exact: Holds.held is of")
    assert (report["exact"], report["evidence"]) == (False, "unverified")


class Nudges(keras.callbacks.Callback):
    """Changes weights by a number that is kept where no checkpoint looks."""

    def on_train_batch_begin(self, batch, logs=None):
        total = int(os.environ["NUDGES"]) + 1
        os.environ["NUDGES"] = str(total)
        kernel = self.model.layers[0].kernel
        kernel.assign(kernel * (1 + total / 100))


@pytest.mark.parametrize("then", ["warn", "ignore"])
@pytest.mark.parametrize("until", [(2, 2), (1, 4)])
def test_a_difference_that_was_seen_is_not_forgotten_by_the_next_start(
    backup_dir, monkeypatch, then, until
):
    # The second start is killed after a checkpoint that has the difference, or before it.
    monkeypatch.setenv("NUDGES", "0")
    interrupt(make_model(), BackupAndRestore(backup_dir), 1, 3, [Nudges()])
    monkeypatch.setenv("NUDGES", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rekindle.InexactWarning)
        backup = BackupAndRestore(backup_dir, on_difference=then)
        interrupt(make_model(), backup, *until, [Nudges()])
    assert backup.resume_report["evidence"] == "differs"
    resumed(backup_dir, Nudges(), until=3)
    report = resumed(backup_dir, Nudges())
    assert report["exact"] is False
    assert report["notes"][0].startswith(
        "an earlier start of this run was not exact: from epoch 1, batch"
    )
