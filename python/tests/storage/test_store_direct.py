"""Large packs that are written past the system's cache."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from blocks import BLOCK, chunk, room
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from rekindle._format.snapshot import Snapshot
from rekindle._storage.local import direct_io, fs
from rekindle._storage.local.direct_io import Direct
from rekindle.errors import SaveError

pytestmark = pytest.mark.usefixtures("past_cache_works")


def written(path: str, chunks: list[memoryview]) -> tuple[bytes, bool]:
    fd = fs.create(path)
    with fs.closing(fd):
        writer = Direct(fd)
        assert writer.works
        writer.write(chunks)
    with open(path, "rb") as file:
        return file.read(), writer.works


SIZES = st.integers(0, 5 * BLOCK) | st.integers(0, 5).map(BLOCK.__mul__)
CHUNKS = st.lists(st.tuples(SIZES, st.sampled_from([0, 0, 0, 64, 4095]), st.integers(1, 255)))


@settings(max_examples=150, deadline=None)
@given(CHUNKS)
def test_what_is_written_is_there_wherever_it_lay_in_memory(tmp_path_factory, described):
    chunks = [chunk(*each) for each in described]
    path = str(tmp_path_factory.mktemp("direct") / "file")
    with pytest.MonkeyPatch.context() as patch:
        # Use small buffers, so that the data fills them.
        patch.setattr(direct_io, "_ROOM", 2 * BLOCK)
        patch.setattr(direct_io.memory, "room", lambda size, huge: room(size))
        patch.setattr(direct_io, "_PIECE", 2 * BLOCK)
        found, works = written(path, chunks)
    assert found == b"".join(chunks)
    assert works


def test_whole_blocks_are_written_from_where_they_lie(tmp_path, monkeypatch):
    whole = chunk(3 * BLOCK, 0, 7)
    places, write = [], os.write

    def noted(fd, data):
        places.append(np.frombuffer(data, np.uint8).ctypes.data)
        return write(fd, data)

    monkeypatch.setattr(os, "write", noted)
    written(str(tmp_path / "file"), [chunk(BLOCK, 1, 3), whole])
    assert np.frombuffer(whole, np.uint8).ctypes.data in places


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("part", [0, 1, 512, BLOCK, 2 * BLOCK - 1])
def test_after_a_write_that_ended_early_the_rest_goes_through_the_cache(
    tmp_path, monkeypatch, which, part
):
    calls, write = [], os.write

    def short(fd, data):
        calls.append(len(data))
        if len(calls) - 1 != which:
            return write(fd, data)
        assert fs.set_direct(fd, False)
        count = write(fd, data[:part]) if part else 0
        assert fs.set_direct(fd, True)
        return count

    monkeypatch.setattr(direct_io, "_PIECE", 2 * BLOCK)
    monkeypatch.setattr(direct_io.os, "write", short)
    chunks = [chunk(2 * BLOCK, 0, 1), chunk(6 * BLOCK, 0, 2), chunk(100, 9, 3)]
    found, works = written(str(tmp_path / "file"), chunks)
    assert found == b"".join(chunks)
    assert not works


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP])
@pytest.mark.parametrize("where", ["asked", "written"])
def test_a_system_that_refuses_gets_it_through_its_cache(home, beside, monkeypatch, error, where):
    write = os.write
    attempts = []

    def refusing(fd, data):
        if fs.fcntl.fcntl(fd, fs.fcntl.F_GETFL) & os.O_DIRECT:
            attempts.append(fd)
            raise OSError(error, os.strerror(error))
        return write(fd, data)

    if where == "written":
        monkeypatch.setattr(os, "write", refusing)
    else:
        monkeypatch.setattr(fs, "set_direct", lambda fd, on: not on)
    for value in range(4):
        beside.commit(Snapshot({"a": np.full(3 * BLOCK + 5, value, np.int16)}))
        beside.keep(beside.numbers[-1:])
    assert (beside.newest().arrays["a"] == 3).all()
    # rekindle does not try again.
    assert len(attempts) == (where == "written")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_an_error_of_the_disk_fails_the_save_and_leaves_nothing(home, beside, monkeypatch, error):
    beside.commit(Snapshot({"a": np.zeros(BLOCK)}))
    before = sorted(os.listdir(home))

    def failing(fd, data):
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", failing)
        with pytest.raises(SaveError, match=os.strerror(error)):
            beside.commit(Snapshot({"a": np.ones(BLOCK)}))
    assert sorted(os.listdir(home)) == before
    beside.commit(Snapshot({"a": np.ones(BLOCK)}))
    assert (beside.newest().arrays["a"] == 1).all()


def test_arrays_of_whole_blocks_lie_at_blocks_in_a_large_pack(home, beside):
    arrays = {
        "b/small": np.arange(3, dtype=np.int64),
        "a/odd": np.arange(5000, dtype=np.uint8),
        "c/whole": np.arange(4 * BLOCK, dtype=np.float32),
        "d/whole": np.arange(BLOCK, dtype=np.uint8),
        "e/none": np.zeros((0, 4)),
    }
    manifest = beside.commit(Snapshot(arrays))
    assert all(pack.header % BLOCK == 0 for pack in manifest.packs.values())
    for name in ("c/whole", "d/whole"):
        assert manifest.arrays[name].start % BLOCK == 0
    for name, array in arrays.items():
        assert manifest.arrays[name].start % array.itemsize == 0
    with safe_open(home / "ckpt-1.safetensors", "numpy") as file:
        for name, array in arrays.items():
            np.testing.assert_array_equal(file.get_tensor(name), array)
