"""The outermost level of a state is checked before anything live is touched."""

from __future__ import annotations

import pytest

import rekindle
from rekindle._format.manifest import Manifest, Position
from rekindle._training import state_form

_WHOLE = {
    "callbacks": {},
    "data": None,
    "extra": {},
    "history": {},
    "logs": {},
    "random": {},
}
_MORE = {
    "attempts": {"rows": [{}], "epochs": 3},
    "calls_before": 0,
    "evidence": {},
    "fingerprint": {},
    "initial_epoch": 2,
    "lost": ["x"],
    "notes": [],
    "own": {"outer": {}},
    "schedule": {},
    "stop_training": False,
    "versions": {"keras": "3"},
}


def check(state, epoch=1):
    manifest = Manifest(1, 1, "run", 0.0, "1", Position(4, epoch, 0), {}, {}, state)
    state_form.check("backup", manifest)


def test_a_whole_state_passes_with_and_without_what_later_versions_added():
    check(_WHOLE)
    check({**_WHOLE, **_MORE, "data": {"place": {}, "dataset": {}}, "of a later version": 1})


@pytest.mark.parametrize("name", _WHOLE)
def test_what_each_checkpoint_has_is_missed(name):
    state = {key: value for key, value in _WHOLE.items() if key != name}
    with pytest.raises(rekindle.errors.BrokenTreeError, match=f"'{name}'.* found nothing"):
        check(state)


@pytest.mark.parametrize("name", [*_WHOLE, *_MORE])
@pytest.mark.parametrize("value", ["/etc/passwd", -1, 0.5, [[]], {"x": 1}, [1], 1 << 60])
def test_a_member_of_another_type_is_refused(name, value):
    state = {**_WHOLE, **_MORE}
    # These parts have a form of their own further in.
    if value == {"x": 1} and name in ("evidence", "extra", "fingerprint", "history", "logs"):
        return
    if value == {"x": 1} and name in ("random", "schedule"):
        return
    with pytest.raises(rekindle.errors.BrokenTreeError, match=f"the state's '{name}': expected"):
        check({**state, name: value})


def test_a_checkpoint_of_a_manager_is_not_of_a_fit():
    with pytest.raises(rekindle.MismatchError, match=r"not of a fit\(\)"):
        check(_WHOLE, epoch=None)
