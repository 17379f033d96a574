"""Arrays of subclasses of NumPy's array. rekindle refuses parts that it could not restore."""

from __future__ import annotations

import numpy as np
import pytest

import rekindle
from rekindle import errors
from rekindle._codec import tree

# np.matrix warns that users should not use it.
pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")


class Tagged(np.ndarray):
    """An array with more state than its numbers."""


REFUSED = {
    "masked": lambda: np.ma.array([1.0, 2.0], mask=[0, 1]),
    "nothing masked": lambda: np.ma.array([1.0, 2.0]),
    "the masked constant": lambda: np.ma.masked,
    "records": lambda: np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]).view(np.recarray),
    "structured": lambda: np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    "a structured scalar": lambda: np.array([(1, 2.0)], dtype=[("a", int), ("b", float)])[0],
    "objects": lambda: np.array([1, "a"], object),
    "strings": lambda: np.array(["a"]),
    "times": lambda: np.array(["2020"], "datetime64[D]"),
}


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("kind", REFUSED)
def test_what_would_not_come_back_whole_is_refused(kind, inside, tmp_path):
    value = REFUSED[kind]()
    with pytest.raises(rekindle.ArgumentError, match="cannot be saved"):
        rekindle.Checkpoint(v={"a": [value]} if inside else value).save(tmp_path / "ckpt")
    assert not list(tmp_path.glob("ckpt*"))


@pytest.mark.parametrize("make", [np.asmatrix, lambda array: array.view(Tagged)])
def test_an_array_of_another_class_is_filled_in_place(make, tmp_path):
    path = rekindle.Checkpoint(v=make(np.array([[1.0, 2.0]]))).save(tmp_path / "ckpt")
    live = make(np.zeros((1, 2)))
    again = rekindle.Checkpoint(v=live)
    again.restore(path)
    assert again.v is live
    assert np.asarray(live).tolist() == [[1.0, 2.0]]


def test_numbers_are_not_put_under_another_mask(tmp_path):
    # An older rekindle saved a masked array like this, without its mask.
    path = rekindle.Checkpoint(v=np.array([1.0, 2.0])).save(tmp_path / "ckpt")
    live = np.ma.array([0.0, 0.0], mask=[0, 0])
    with pytest.raises(rekindle.MismatchError, match="masked array"):
        rekindle.Checkpoint(v=live).restore(path)
    assert live.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    "make", [np.ma.array, np.asmatrix, lambda numbers: np.array(numbers).view(Tagged)]
)
def test_an_attribute_that_would_come_back_as_a_plain_array_is_not_saved(make):
    value = make([1.0])
    with pytest.raises(errors.UnsupportedValueError, match="only its numbers could be restored"):
        tree.flatten([value], "callbacks/Cb/mask", {})
