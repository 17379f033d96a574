"""Memory for large arrays: its size, its alignment, and the error if there is too little."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from rekindle._base import memory

LARGE = memory._LARGE


@pytest.mark.parametrize("size", [0, 1, 4096, LARGE - 1, LARGE, LARGE + 1, 5 * LARGE + 3])
def test_a_room_is_as_large_as_asked_aligned_and_writable(size):
    room = memory.room(size)
    assert room.shape == (size,)
    assert size == 0 or room.ctypes.data % 64 == 0
    room[:] = 7
    assert int(room.sum(dtype=np.int64)) == 7 * size


def test_two_rooms_do_not_overlap():
    first, second = memory.room(2 * LARGE), memory.room(2 * LARGE)
    first[:], second[:] = 1, 2
    assert first.min() == first.max() == 1


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 5), (1024, 1024)])
@pytest.mark.parametrize("dtype", [np.float32, np.complex128, np.bool_, ml_dtypes.bfloat16])
def test_an_array_has_its_form(shape, dtype):
    array = memory.array(shape, np.dtype(dtype))
    assert (array.shape, array.dtype) == (shape, np.dtype(dtype))
    assert array.flags.writeable
    assert array.flags.aligned


def test_more_than_there_is_is_a_memory_error():
    with pytest.raises(MemoryError):
        memory.room(1 << 62)


def test_giving_back_is_safe_at_any_time():
    kept = memory.room(LARGE)
    kept[:] = 3
    memory.give_back()
    assert kept.min() == 3
