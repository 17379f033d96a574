"""Values that another language keeps, such as R, in a Checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rekindle
from rekindle._codec import changeable
from rekindle._r import values
from rekindle._r.state import ExternalState


class _Kept:
    """A value that is kept elsewhere, in the form that R gives."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.state = ExternalState(self._take, self._put, self._compare)

    def _take(self) -> dict[str, Any]:
        return {"type": "double", "values": self.value}

    def _put(self, value: dict[str, Any]) -> None:
        self.value = value["values"]

    def _compare(self, value: dict[str, Any]) -> list[str]:
        found, expected = np.shape(value["values"]), np.shape(self.value)
        return [] if found == expected else [f"dim: expected {expected}, found {found}"]


def test_a_foreign_value_is_asked_for_at_a_save_and_given_back(tmp_path: Path) -> None:
    kept = _Kept(np.arange(3.0))
    checkpoint = rekindle.Checkpoint(kept=kept.state)
    path = checkpoint.save(tmp_path / "c")
    kept.value = np.zeros(3)
    checkpoint.restore(path).assert_consumed()
    assert kept.value.tolist() == [0.0, 1.0, 2.0]


def test_its_own_reasons_against_a_restore_name_the_place_and_nothing_changes(
    tmp_path: Path,
) -> None:
    path = rekindle.Checkpoint(step=5, kept=_Kept(np.arange(3.0)).state).save(tmp_path / "c")
    kept = _Kept(np.zeros(4))
    checkpoint = rekindle.Checkpoint(step=0, kept=kept.state)
    with pytest.raises(rekindle.MismatchError) as caught:
        checkpoint.restore(path)
    assert caught.value.differences == ["kept/dim: expected (4,), found (3,)"]
    assert checkpoint.step == 0
    assert kept.value.tolist() == [0.0] * 4


def test_its_arrays_are_copied_when_they_are_taken() -> None:
    kept = _Kept(np.arange(3.0))
    taken = kept.state.state_dict()["value"]["values"]
    kept.value[0] = 9.0
    assert taken.tolist() == [0.0, 1.0, 2.0]


def test_reading_tells_foreign_values_plain_ones_and_arrays_apart(tmp_path: Path) -> None:
    kept = _Kept(np.arange(3.0))
    inside = rekindle.Checkpoint(kept=_Kept("0x1p+0").state, name="x")
    path = rekindle.Checkpoint(
        kept=kept.state, inside=inside, step=5, w=np.ones((2, 2), np.float32)
    ).save(tmp_path / "c")
    foreign, plain, arrays = values.checkpoint_values(path)
    assert {place: value["type"] for place, value in foreign.items()} == {
        "kept": "double",
        "inside/kept": "double",
    }
    assert foreign["kept"]["values"].tolist() == [0.0, 1.0, 2.0]
    assert foreign["inside/kept"]["values"] == "0x1p+0"
    assert plain == {"inside/name": "x", "step": 5}
    assert list(arrays) == ["w"]


def _fails(*_: Any) -> Any:
    raise RuntimeError("`put()` of `kept` failed: no room")


def test_a_function_of_the_user_that_fails_is_told_by_its_own_text(tmp_path: Path) -> None:
    path = rekindle.Checkpoint(kept=_Kept(1.0).state).save(tmp_path / "c")
    state = ExternalState(lambda: {"type": "double", "values": 1.0}, _fails)
    with pytest.raises(rekindle.MismatchError) as caught:
        rekindle.Checkpoint(kept=state).restore(path)
    assert caught.value.differences == [
        "kept: expected a state that a value of R's takes, found one that it refused:"
        " `put()` of `kept` failed: no room"
    ]
    lost = changeable.take_object(ExternalState(_fails, _fails), "a", {})
    assert lost == f"{changeable.FAILED} (`put()` of `kept` failed: no room)"
