"""Trees of values are flattened and unflattened without a change."""

from __future__ import annotations

import contextlib
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rekindle._codec.tree import flatten, unflatten
from rekindle.errors import BrokenTreeError, UnsupportedValueError

keys = st.text(max_size=5) | st.just("$") | st.integers() | st.booleans() | st.none()
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | hnp.arrays(
        st.sampled_from(["float32", "int64", "bool", "uint8"]), hnp.array_shapes(min_side=0)
    )
    | st.sampled_from([np.float32(1.5), np.int64(-3), np.bool_(True)])
)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=3)
        | st.sets(st.integers() | st.text(max_size=3), max_size=3)
        | st.frozensets(st.integers(), max_size=3)
    ),
    max_leaves=12,
)


def same(one, other):
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray | np.generic):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        pairs = zip(one.items(), other.items(), strict=True)
        return len(one) == len(other) and all(
            same(a, b) for p, q in pairs for a, b in zip(p, q, strict=True)
        )
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, set | frozenset):
        return sorted(map(repr, one)) == sorted(map(repr, other))
    return one == other and repr(one) == repr(other)


@given(trees)
def test_what_comes_back_is_what_went_in(tree):
    arrays = {}
    text = json.dumps(flatten(tree, "tree", arrays), allow_nan=False)
    assert same(unflatten(json.loads(text), arrays), tree)


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.just("$"),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=2) | st.just("$"), inner),
    )
)
def test_anything_else_is_broken_or_harmless(value):
    with contextlib.suppress(BrokenTreeError):
        unflatten(value, {})


def nested(depth):
    return [nested(depth - 1)] if depth else []


@pytest.mark.parametrize(
    "value",
    [
        nested(150),
        1 << 5000,
        object(),
        len,
        {"a": [1, slice(2)]},
        np.array([object()]),
        np.array(["text"]),
    ],
)
def test_what_cannot_be_saved_is_named_with_its_place(value):
    with pytest.raises(UnsupportedValueError, match=r"^here"):
        flatten(value, "here", {})


def test_arrays_are_named_by_their_place():
    arrays = {}
    flatten({"a": [np.zeros(1), {"b": np.ones(1)}]}, "tree", arrays)
    assert list(arrays) == ["tree/a/0", "tree/a/1/b"]
