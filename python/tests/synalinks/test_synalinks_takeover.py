"""Damaged files, ours and those of Synalinks' own callback; and resuming from the latter."""

from __future__ import annotations

import json
import warnings

import pytest
import synalinks
from small_program import BATCHES, Interrupt, Interrupted, backup, fit, make, seed, state

import rekindle

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")

VARIABLES = "latest.variables.json"
METADATA = "training_metadata.json"


def theirs(folder, **more):
    return synalinks.callbacks.BackupAndRestore(str(folder), **more)


def left_by_theirs(folder, place=(1, None), **more):
    """Interrupts a run at the end of its second epoch. Returns the program as it was then."""
    seed()
    program = make()
    with pytest.raises(Interrupted):
        fit(program, [theirs(folder, **more), Interrupt(*place)])
    return program


def left_by_ours(folder, **more):
    """Interrupts a run in its third epoch: it has saved the ends of two."""
    seed()
    program = make()
    with pytest.raises(Interrupted):
        fit(program, [backup(folder, **more), Interrupt(2, 1)])
    return program


def resume(callback, epochs=3):
    program = make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = fit(program, [callback, Interrupt(9)], epochs)
    return program, history


def test_a_run_that_their_class_left_continues_with_a_message(backup_dir):
    left = left_by_theirs(backup_dir)
    program, callback, begun = make(), backup(backup_dir), []

    class AtTheBeginning(synalinks.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            begun.append(json.dumps(_population(program)))

    with pytest.warns(rekindle.TakeoverWarning, match=r"epoch 2 \(counted from 0\)"):
        history = fit(program, [callback, AtTheBeginning()])
    assert history.epoch == [2]
    assert callback.resume_report["epoch"] == 2
    assert not callback.resume_report["exact"]
    assert program.optimizer.iterations == 3 * BATCHES
    # Their class loses the population.
    assert _population(left)
    assert begun == [json.dumps(_population(left))]
    # Their files stay, and a later run does not resume from them.
    assert {VARIABLES, METADATA} < {path.name for path in backup_dir.iterdir()}
    again = backup(backup_dir)
    fit(make(), [again], epochs=1)
    assert again.resume_report is None


def _population(program):
    return program.trainable_variables[0].get("best_candidates")


def test_a_backup_of_theirs_within_an_epoch_begins_the_epoch_again(backup_dir):
    left_by_theirs(backup_dir, (1, 2), save_freq=1)
    with pytest.warns(rekindle.TakeoverWarning, match="trained on again"):
        history = fit(make(), [backup(backup_dir)])
    assert history.epoch == [1, 2]


def torn(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("damage", [torn, flipped])
@pytest.mark.parametrize("kept", [1, 2])
def test_a_damaged_checkpoint_of_ours_is_refused_or_the_one_before_is_taken(
    backup_dir, damage, kept
):
    left_by_ours(backup_dir, double_checkpoint=kept == 2)
    newest = max(backup_dir.glob("ckpt-*.json"), key=lambda path: int(path.stem.split("-")[1]))
    damage(newest)
    if kept == 1:
        with pytest.raises(rekindle.DamageError):
            fit(make(), [backup(backup_dir)])
        return
    callback = backup(backup_dir, double_checkpoint=True)
    program, _ = resume(callback)
    assert callback.resume_report["epoch"] == 1
    seed()
    expected = make()
    fit(expected, [])
    assert state(program) == state(expected)


@pytest.mark.parametrize(
    ("damages", "double", "outcome"),
    [
        ([(torn, VARIABLES)], False, "refused"),
        ([(torn, METADATA)], False, "refused"),
        ([(torn, VARIABLES)], True, "the pair before"),
        ([(torn, VARIABLES), (torn, METADATA)], True, "the pair before"),
        ([(torn, VARIABLES), (torn, VARIABLES + ".bkp")], True, "refused"),
    ],
)
def test_damaged_files_of_theirs_are_refused_or_the_pair_before_is_taken(
    backup_dir, damages, double, outcome
):
    left_by_theirs(backup_dir, double_checkpoint=double)
    for damage, name in damages:
        damage(backup_dir / name)
    if outcome == "refused":
        with pytest.raises(rekindle.DamageError, match="half-written or damaged"):
            fit(make(), [backup(backup_dir)])
    else:
        callback = backup(backup_dir)
        resume(callback)
        assert callback.resume_report["epoch"] == 1
        assert "half-written" in callback.resume_report["notes"][0]


def test_their_class_itself_loses_the_run_where_its_file_is_torn(backup_dir):
    left_by_theirs(backup_dir, double_checkpoint=True)
    torn(backup_dir / VARIABLES)
    # It catches OSError alone: the pair before is not used.
    with pytest.raises(ValueError, match=r"JSON|unexpected|EOF"):
        fit(make(), [theirs(backup_dir, double_checkpoint=True)])


def test_variables_and_an_epoch_of_two_saves_are_refused(backup_dir):
    left_by_theirs(backup_dir)
    old = backup_dir / METADATA
    values = json.loads(old.read_text())
    # Written before the variables, as if a kill had come between.
    old.write_text(json.dumps(values | {"epoch": values["epoch"] - 1}))
    variables = backup_dir / VARIABLES
    variables.write_bytes(variables.read_bytes())
    with pytest.raises(rekindle.DamageError, match="two different saves"):
        fit(make(), [backup(backup_dir)])


def test_a_backup_of_theirs_of_another_program_is_refused(backup_dir):
    left_by_theirs(backup_dir)
    path = backup_dir / VARIABLES
    path.write_text(path.read_text().replace("generator", "other_name"))
    with pytest.raises(rekindle.MismatchError, match="not of this program"):
        fit(make(), [backup(backup_dir)])
