from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file

from rekindle._format.layout import DTYPES
from rekindle._format.manifest import Position
from rekindle._format.snapshot import Snapshot
from rekindle._repository.repository import Repository
from rekindle._storage.local.storage import LocalStorage
from rekindle.errors import ArgumentError

FAST = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def dtype_of(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name, name))


@st.composite
def any_arrays(draw):
    """An array of any dtype and shape, with any bits, in any memory order."""
    dtype = dtype_of(draw(st.sampled_from(sorted(DTYPES))))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5))
    count = math.prod(shape)
    size = count if dtype == np.bool_ else count * dtype.itemsize
    data = draw(st.binary(min_size=size, max_size=size))
    if dtype == np.bool_:
        array = (np.frombuffer(data, np.uint8) & 1).astype(np.bool_)
    else:
        array = np.frombuffer(data, dtype)
    array = array.reshape(shape)
    form = draw(st.sampled_from(["C", "F", "reversed", "big-endian"]))
    if form == "F":
        return np.asfortranarray(array)
    if form == "reversed":
        return array[::-1] if array.ndim else array
    if form == "big-endian" and dtype.kind in "iufc" and dtype.name != "bfloat16":
        return array.astype(array.dtype.newbyteorder(">"))
    return array


def bits(array) -> bytes:
    array = np.asarray(array)
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    return array.tobytes()


names = st.text(min_size=1, max_size=30).filter(lambda name: name != "__metadata__")
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.text()
    | st.integers(-(10**300), 10**300)
    # JSON has only one zero, no NaN and no infinities.
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class TestAnythingComesBack:
    @FAST
    @given(
        arrays=st.dictionaries(names, any_arrays(), max_size=6),
        state=st.dictionaries(st.text(), json_values, max_size=4),
        position=st.tuples(*[st.none() | st.integers(0, 2**63 - 1)] * 3),
    )
    def test_arrays_state_and_position_come_back_bit_for_bit(
        self, tmp_path_factory, arrays, state, position
    ):
        home = str(tmp_path_factory.mktemp("any") / "backup")
        folder = Repository(LocalStorage(home), "1.2.3")
        written = folder.commit(Snapshot(arrays, state, Position(*position)))
        folder.close()
        again = Repository(LocalStorage(home), "1.2.3")
        save = again.newest()
        again.close()
        assert save is not None
        assert save.manifest == written
        assert save.manifest.state == state
        assert save.manifest.position == Position(*position)
        assert list(save.arrays) == list(arrays)
        for name, array in arrays.items():
            assert save.arrays[name].dtype == array.dtype.newbyteorder("=")
            assert save.arrays[name].shape == array.shape
            assert bits(save.arrays[name]) == bits(array)

    @FAST
    @given(saves=st.lists(st.lists(st.integers(0, 2), min_size=4, max_size=4), max_size=8))
    def test_whatever_stays_the_same_from_save_to_save_each_save_is_whole(
        self, tmp_path_factory, saves
    ):
        home = str(tmp_path_factory.mktemp("shared") / "backup")
        folder = Repository(LocalStorage(home), "1.2.3")
        folder.open()
        for values in saves:
            arrays = {f"a{i}": np.full(10 ** (i + 1), value) for i, value in enumerate(values)}
            folder.commit(Snapshot(arrays, {"values": values}))
            folder.keep(folder.numbers[-2:])
            folder.close()
            save = folder.newest()
            assert save is not None
            assert save.manifest.state["values"] == values
            assert all((save.arrays[f"a{i}"] == value).all() for i, value in enumerate(values))
        folder.close()


def test_the_safetensors_library_reads_a_pack_as_it_is(folder, home):
    arrays = {
        "a/b": np.arange(12, dtype=np.float32).reshape(3, 4),
        "é": np.array([True, False]),
        "scalar": np.int64(7) * np.ones((), np.int64),
        "half": np.arange(5, dtype=np.float16),
        "none": np.zeros((0, 3), np.uint8),
    }
    folder.commit(Snapshot(arrays))
    found = load_file(home / "ckpt-1.safetensors")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_the_data_of_a_pack_is_aligned_for_every_dtype(folder, home):
    arrays = {name: np.ones(3, dtype_of(name)) for name in sorted(DTYPES)}
    manifest = folder.commit(Snapshot(arrays))
    for name, row in manifest.arrays.items():
        assert row.start % dtype_of(name).itemsize == 0, name
    assert all(pack.header % 64 == 0 for pack in manifest.packs.values())


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("x", np.array(["text"])),
        ("x", np.array([object()])),
        ("x", np.zeros(2, np.longdouble)),
        ("x", np.zeros(2, "datetime64[s]")),
        ("__metadata__", np.zeros(2)),
    ],
)
def test_an_array_that_the_format_does_not_know_is_refused_by_name(folder, home, name, array):
    with pytest.raises(ArgumentError, match=f"The array '{name}' of dtype .* cannot be saved"):
        folder.commit(Snapshot({name: array}))
    assert {path.name for path in home.iterdir()} == {".lock"}
