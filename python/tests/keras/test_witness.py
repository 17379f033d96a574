"""Whether a resumed fit() proves itself, and what it sees when a part was not restored."""

from __future__ import annotations

import shutil
import signal
import warnings
from pathlib import Path

import forks
import keras
import pytest
from witness_run import BATCHES, run

import rekindle
from rekindle import inspection
from rekindle._frameworks import torch
from rekindle._keras import variables
from rekindle._training.callbacks.states import CallbackStates
from rekindle._training.model_trainer import ModelTrainer
from rekindle._training.own_state import OwnStates
from rekindle._training.state import FitState

HERE = Path(__file__).parent
ON_TENSORFLOW = keras.backend.backend() == "tensorflow"


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder of a run that was killed 8 batches after its checkpoint."""
    folder = tmp_path_factory.mktemp("witness") / "backup"
    status, _, errors = forks.run(HERE / "witness_run.py", folder)
    assert status == -signal.SIGKILL, errors
    return folder


@pytest.fixture
def folder(killed, tmp_path):
    return shutil.copytree(killed, tmp_path / "backup")


def resume(folder, **more):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", rekindle.InexactWarning)
        backup, history = run(folder, **more)
    told = [str(one.message) for one in caught if one.category is rekindle.InexactWarning]
    # The callback that killed the first run is not there.
    told = [text for text in told if "the callback Kill" not in text]
    return backup.resume_report, told, history


def test_a_resumed_run_is_verified_and_later_checkpoints_say_so(folder):
    report, told, history = resume(folder, restore_history=True)
    assert (report["epoch"], report["batch"]) == (1, 3)
    assert report["evidence"] == "verified"
    assert told == []
    # Batches 0 to 5 of epoch 1, three of them read again, and 0 to 4 of epoch 2. The killed run had
    # trained the last one, and was killed before it was noted.
    batches = 0 if ON_TENSORFLOW else 11
    compared = report["compared"]
    assert compared["batches"] in {batches, max(0, batches - 1)}
    assert compared["losses"] in {7, 8}
    assert (compared["epochs"], compared["largest"]) == (1, 0.0)
    found = inspection.info(folder)
    newest = found.saves[-1].evidence
    assert (newest["evidence"], newest["number"]) == ("verified", report["number"])
    assert (newest["batch"], newest["losses"]) == (3, compared["losses"])
    assert found.foreign == []
    straight = run(folder.parent / "never")[1]
    assert history.history == straight.history


def _without(*parts):
    """Restores variables, but for those whose names have one of these parts."""
    original = variables.assign

    def assign(named, arrays):
        left_out = [name for name in named if any(part in name for part in parts)]
        assert left_out or "metrics/" in parts, list(named)
        original({name: named[name] for name in named if name not in left_out}, arrays)

    return (variables, "assign", assign)


def _flipped(bit):
    """Restores one weight with this bit flipped. The lowest changes it by 1e-7 of its value."""
    original = variables.assign

    def assign(named, arrays):
        name = next(name for name in named if name.endswith("last/kernel"))
        array = arrays[name].copy()
        array.view("uint32")[0, 0] ^= 1 << bit
        original(named, {**arrays, name: array})

    return (variables, "assign", assign)


def _without_validation():
    original = OwnStates.put

    def put(self, saved, arrays):
        return original(self, {k: v for k, v in saved.items() if k != "validation"}, arrays)

    return (OwnStates, "put", put)


def _without_a_batch():
    """Skips one batch less than were trained."""
    original = ModelTrainer.replay
    return (ModelTrainer, "replay", lambda self, n, *rest: original(self, n - 1, *rest))


# On PyTorch, Dropout draws from the generator of the process.
DROPOUT = (
    (torch, "set_random_states", lambda _: None)
    if keras.backend.backend() == "torch"
    else _without("seed_generator_state")
)
# On TensorFlow, with keras.utils.set_random_seed(), each epoch has the same order.
DATA = _without_a_batch() if ON_TENSORFLOW else (FitState, "_put_data", lambda *_: None)

MUTANTS = {
    "the place in the data": DATA,
    "the state of a dropout": DROPOUT,
    "a slot of the optimizer": _without("first/kernel/momentum"),
    "the optimizer's steps": _without("iteration"),
    "one bit of a weight": _flipped(5),
    "the sums of the metrics": _without("metrics/"),
    "a callback's counter": (CallbackStates, "read", lambda *_: ([], [])),
    "the place in the validation data": _without_validation(),
}


@pytest.mark.parametrize("part", MUTANTS)
def test_a_part_that_is_not_restored_is_seen(folder, part, monkeypatch, capsys):
    monkeypatch.setattr(*MUTANTS[part])
    report, told, _ = resume(folder)
    note = next(note for note in report["notes"] if note.startswith("from epoch"))
    place = note.removeprefix("from ").partition(" on (")[0]
    with capsys.disabled():
        print(f"\n{keras.backend.backend()}: without {part}: {report['evidence']}, {place}")
    assert (report["evidence"], report["exact"]) == ("differs", False)
    assert len([text for text in told if "differs from the interrupted one" in text]) == 1


def test_a_difference_can_end_training_and_the_checkpoints_stay(folder, monkeypatch):
    monkeypatch.setattr(*DROPOUT)
    before = sorted(path.name for path in folder.glob("ckpt-*"))
    with pytest.raises(rekindle.MismatchError, match="one: from epoch 1, batch 3 on"):
        resume(folder, on_difference="raise")
    assert sorted(path.name for path in folder.glob("ckpt-*")) == before


def test_a_difference_can_be_noted_only(folder, monkeypatch):
    monkeypatch.setattr(*MUTANTS["a slot of the optimizer"])
    report, told, _ = resume(folder, on_difference="ignore")
    assert report["evidence"] == "differs"
    assert told == []


def test_losses_may_differ_within_a_tolerance(folder, monkeypatch):
    monkeypatch.setattr(*_flipped(12))
    report, told, _ = resume(folder, on_difference=rekindle.Tolerance(1e-3))
    assert (report["evidence"], told) == ("verified", [])
    assert 0 < report["compared"]["largest"] < 1e-3


def test_a_changed_set_up_is_not_compared(folder):
    report, told, _ = resume(folder, allow_changes="all", loss="mae")
    assert report["evidence"] == "changed"
    assert not [text for text in told if "differs from the interrupted one" in text]


def test_a_run_that_was_never_interrupted_has_no_report_and_leaves_nothing(tmp_path):
    backup = rekindle.keras.BackupAndRestore(tmp_path / "backup")
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(
        keras.ops.ones((BATCHES, 3)), keras.ops.ones((BATCHES, 1)), verbose=0, callbacks=[backup]
    )
    assert backup.resume_report is None
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize("value", ["error", None, True, 1e-5])
def test_what_to_do_at_a_difference_is_checked(value, tmp_path):
    with pytest.raises(rekindle.ArgumentError, match="on_difference"):
        rekindle.keras.BackupAndRestore(tmp_path, on_difference=value)
