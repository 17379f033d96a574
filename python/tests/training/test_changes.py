"""The table behind `allow_changes`: which names cover which differences."""

from __future__ import annotations

import pytest

from rekindle._training import changes
from rekindle._training.changes import AllowedChanges

RATE = "the optimizer's learning_rate: expected 0.1, found 0.2 in the backup"
BETA = "the optimizer's beta_1: expected 0.8, found 0.9 in the backup"
KIND = "optimizer: expected 'Adam', found 'SGD' in the backup"
SIZE = "batch size: expected 5, found 4 in the backup"
BATCHES = "batches in an epoch: expected 4, found 5 in the backup"
SAMPLES = "number of samples: expected 16, found 20 in the backup"
WORDS = "adapted layer 1, a StringLookup: expected '3 values', found '4 values' in the backup"
DEVICES = "devices: expected '1 cpu', found '2 cpu' in the backup"
LEFT = "the callback Halve is no longer in the list, so its state was not used"
NUMPY = "numpy: expected '1', found '2' in the backup (results may differ slightly)"
UNKNOWN = "gravity: expected 9, found 10 in the backup"


@pytest.mark.parametrize(
    ("names", "refused"),
    [
        (None, [RATE, BETA, SIZE, BATCHES, SAMPLES, WORDS, UNKNOWN]),
        ("learning_rate", [BETA, SIZE, BATCHES, SAMPLES, WORDS, UNKNOWN]),
        (["optimizer"], [SIZE, BATCHES, SAMPLES, WORDS, UNKNOWN]),
        ({"batch_size"}, [RATE, BETA, SAMPLES, WORDS, UNKNOWN]),
        (("data", "optimizer"), [SIZE, UNKNOWN]),
        ("all", []),
        (("all", "data"), []),
    ],
)
def test_what_is_not_named_is_refused(names, refused):
    lines = [RATE, BETA, SIZE, BATCHES, SAMPLES, WORDS, DEVICES, UNKNOWN]
    assert AllowedChanges.of(names).refused(lines) == refused


@pytest.mark.parametrize(
    ("line", "meant", "not_meant"),
    [
        (RATE, ["learning_rate", "optimizer"], ["weight_decay", "all"]),
        (KIND, ["optimizer"], ["learning_rate", "all"]),
        (DEVICES, ["devices"], ["backend", "all"]),
        (LEFT, ["callbacks"], ["data", "all"]),
        (NUMPY, ["versions"], ["backend", "all"]),
        (f"{changes.OTHER_START} at epoch 3", ["epochs"], ["callbacks", "all"]),
    ],
)
def test_only_what_is_named_needs_no_warning(line, meant, not_meant):
    assert all(AllowedChanges.of(name).is_meant(line) for name in meant)
    assert not any(AllowedChanges.of(name).is_meant(line) for name in not_meant)


@pytest.mark.parametrize(
    ("lines", "advice"),
    [
        ([SIZE, BATCHES], 'this change, name it in `allow_changes`: "batch_size".'),
        ([SAMPLES, BATCHES], 'this change, name it in `allow_changes`: "data".'),
        (
            [RATE, SIZE],
            'these changes, name them in `allow_changes`: "learning_rate", "batch_size".',
        ),
        ([RATE, UNKNOWN], 'this change, name it in `allow_changes`: "all".'),
    ],
)
def test_the_advice_has_no_more_names_than_needed(lines, advice):
    assert changes.advice(lines).endswith(advice)
    named = [name.strip('"') for name in advice.rpartition(": ")[2].rstrip(".").split(", ")]
    assert AllowedChanges.of(named).refused(lines) == []


def test_a_change_that_no_setting_shows_may_be_seen_while_training():
    assert AllowedChanges.of(None).unseen == set()
    assert AllowedChanges.of(("batch_size", "all")).unseen == set()
    assert AllowedChanges.of("callbacks").unseen == {"losses", "epochs"}
    assert AllowedChanges.of(("loss", "data")).unseen == {"batches", "losses", "epochs"}
