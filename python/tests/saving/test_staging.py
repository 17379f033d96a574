"""The copy of the state: the state at the hook, with the digests made during the copy."""

from __future__ import annotations

import itertools
import threading

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rekindle
from rekindle._base import arrays, parallel
from rekindle._base.arrays import as_bytes, digest
from rekindle._format.snapshot import Snapshot
from rekindle._saving import host_buffers

FORMS = {
    "float32": lambda count: np.arange(count, dtype="float32"),
    "bfloat16": lambda count: np.arange(count).astype(ml_dtypes.bfloat16),
    "bool": lambda count: np.arange(count) % 3 == 0,
    "big-endian": lambda count: np.arange(count, dtype=">i4"),
    "every other": lambda count: np.arange(2 * count, dtype="float64")[::2],
    "turned": lambda count: np.arange(2 * count, dtype="int16").reshape(2, count).T,
    "scalar": lambda count: np.asarray(count, "int64"),
}


@pytest.fixture(params=[1, 2, 4])
def small_steps(request, monkeypatch):
    """Treats small arrays like large ones, with the given number of cores."""
    monkeypatch.setattr(host_buffers, "_WORTH_A_THREAD", 1000)
    monkeypatch.setattr(host_buffers, "_WORTH_A_DIGEST", 100)
    monkeypatch.setattr(arrays, "_COPIED", 64)
    monkeypatch.setattr(parallel, "processors", lambda: request.param)
    return request.param


def bits(array):
    return bytes(as_bytes(array))


@pytest.mark.usefixtures("small_steps")
class TestHolding:
    @given(st.lists(st.tuples(st.sampled_from(sorted(FORMS)), st.integers(0, 700)), max_size=12))
    def test_copies_and_digests_are_of_what_was_given(self, forms):
        arrays = {str(i): FORMS[form](count) for i, (form, count) in enumerate(forms)}
        staging = host_buffers.HostBuffers()
        for _ in range(2):
            held = staging.hold(Snapshot(arrays))
            assert list(held.arrays) == list(arrays)
            for name, array in arrays.items():
                copy = held.arrays[name]
                assert copy.dtype == array.dtype
                assert copy.shape == array.shape
                assert not np.shares_memory(copy, array)
                assert bits(copy) == bits(array)
            for name, found in held.digests.items():
                assert found == digest(as_bytes(arrays[name]))
            # The next state uses the same memory.
            arrays = {name: array[::-1] if array.ndim else array for name, array in arrays.items()}

    def test_what_is_restored_was_checked_against_them(self, tmp_path):
        state = {f"w{i}": np.arange(i, i + 150, dtype="float32") for i in range(20)}
        expected = {name: array.copy() for name, array in state.items()}
        checkpoint = rekindle.Checkpoint(**state)
        with rekindle.CheckpointManager(checkpoint, tmp_path, 1, background=True) as manager:
            path = manager.save()
            for array in state.values():
                array += 1
        checkpoint.restore(path)
        assert all(bits(state[name]) == bits(array) for name, array in expected.items())


def test_digests_are_made_where_another_thread_copies_meanwhile(small_steps):
    sizes = {"tiny": 24, "small": 99, "middle": 100, "large": 1000, "shared out": 1001}
    arrays = {name: np.zeros(size, "uint8") for name, size in sizes.items()}
    held = host_buffers.HostBuffers().hold(Snapshot(arrays))
    assert set(held.digests) == ({"middle", "large"} if small_steps > 1 else set())


@pytest.mark.parametrize("small_steps", [2], indirect=True)
@pytest.mark.usefixtures("small_steps")
def test_a_digest_is_of_the_copy_and_not_of_what_changes_meanwhile(monkeypatch):
    array = np.zeros(500, "uint8")
    whole, calls = np.copyto, itertools.count()

    def changing(target, source):
        whole(target, source)
        array[:] = next(calls)

    monkeypatch.setattr(np, "copyto", changing)
    held = host_buffers.HostBuffers().hold(Snapshot({"a": array, "b": np.zeros(2000, "uint8")}))
    assert held.digests["a"] == digest(as_bytes(held.arrays["a"]))
    assert bits(held.arrays["a"]) != bits(array)


@pytest.mark.parametrize("small_steps", [4], indirect=True)
@pytest.mark.usefixtures("small_steps")
def test_where_no_thread_can_be_had_it_is_held_all_the_same(monkeypatch):
    def refusing(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refusing)
    arrays = {str(i): np.full(900, i, "uint8") for i in range(9)}
    held = host_buffers.HostBuffers().hold(Snapshot(arrays))
    assert all(bits(held.arrays[name]) == bits(array) for name, array in arrays.items())
