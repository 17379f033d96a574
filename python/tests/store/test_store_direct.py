"""Large packs that are written past the system's cache."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from rekindle._format import layout
from rekindle._format.snapshot import Snapshot
from rekindle._repository.repository import Repository
from rekindle._storage.local import direct_io, fs, page_cache
from rekindle._storage.local.direct_io import Direct
from rekindle._storage.local.open_file import OpenFile
from rekindle._storage.local.page_cache import ReadBack
from rekindle._storage.local.storage import LocalStorage
from rekindle.errors import SaveError

BLOCK = 4096


def supported(tmp_path) -> bool:
    fd = fs.create(str(tmp_path / "asked"))
    with fs.closing(fd):
        return fs.set_direct(fd, True)


@pytest.fixture(autouse=True)
def _needs_it(tmp_path_factory):
    if not supported(tmp_path_factory.mktemp("asked")):
        pytest.skip("this file system writes nothing past its cache")


@pytest.fixture
def beside(home, monkeypatch):
    """A folder as a training uses it, which treats every pack as a large one."""
    monkeypatch.setattr(layout, "LARGE_PACK", 0)
    folder = Repository(LocalStorage(str(home), past_cache=True), "1.2.3")
    yield folder
    folder.close()


def room(size: int, shift: int = 0) -> np.ndarray:
    """`size` bytes that begin `shift` bytes after the start of a block in memory."""
    found = np.empty(size + 2 * BLOCK, np.uint8)
    start = -found.ctypes.data % BLOCK + shift
    return found[start : start + size]


def chunk(size: int, shift: int, fill: int) -> memoryview:
    data = room(size, shift)
    data[:] = fill
    return memoryview(data)


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


def in_cache(path, block: int | None = None) -> bool:
    """Whether most of the file, or one block of it, is in the system's cache."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        pages = np.zeros(-(-len(mapped) // mmap.PAGESIZE), np.uint8)
        address = np.frombuffer(mapped, np.uint8).ctypes.data
        size, there = ctypes.c_size_t(len(mapped)), ctypes.c_void_p(pages.ctypes.data)
        assert ctypes.CDLL(None).mincore(ctypes.c_void_p(address), size, there) == 0
    return (pages & 1).mean() > 0.5 if block is None else bool(pages[block] & 1)


class TestReadingBack:
    def test_a_pack_past_the_cache_is_in_it_once_it_was_read_back(self, home, beside):
        beside.commit(Snapshot({"a": np.ones(1 << 20, np.float32)}))
        pack = home / "ckpt-1.safetensors"
        if in_cache(pack):
            pytest.skip("what is written past the cache of this file system is in it")
        beside.read_back(lambda: True)
        assert not in_cache(pack)
        beside.read_back(lambda: False)
        assert in_cache(pack)

    def test_who_waits_for_a_save_has_it_in_the_cache(self, home, folder, monkeypatch):
        monkeypatch.setattr(layout, "LARGE_PACK", 0)
        folder.commit(Snapshot({"a": np.ones(1 << 20, np.float32)}))
        assert in_cache(home / "ckpt-1.safetensors")

    def test_it_takes_a_small_share_of_the_time_and_two_seconds_in_advance(self, monkeypatch):
        now = [100.0]
        read = []

        def reading(path, stop):
            while not stop():
                now[0] += 0.25
                read.append(path)

        monkeypatch.setattr(page_cache.time, "monotonic", lambda: now[0])
        monkeypatch.setattr(page_cache, "_read_into_cache", reading)
        back = ReadBack()
        back.read(["a"], lambda: False)
        # The last step went past the two seconds.
        assert len(read) == 9
        now[0] += 40
        back.read(["b"], lambda: False)
        assert len(read) == 9
        now[0] += 20
        back.read(["c"], lambda: False)
        assert read[9:] == ["c"]
        now[0] += 1e6
        back.read(["d"], lambda: False)
        assert read[10:] == ["d"] * 9

    @pytest.mark.parametrize("what", ["gone", "cut off", "a link", "empty"])
    def test_a_file_that_is_not_what_it_was_is_no_error(self, tmp_path, what):
        path = tmp_path / "file"
        if what == "cut off":
            path.write_bytes(b"short")
        elif what == "a link":
            path.symlink_to(tmp_path)
        elif what == "empty":
            path.touch()
        page_cache._read_into_cache(str(path), lambda: False)


def write_by_blocks(path, data: bytes) -> None:
    """Writes a file so that the system can drop each block from its cache separately."""
    fd = fs.create(str(path))
    with fs.closing(fd):
        for start in range(0, len(data), BLOCK):
            fs.write_all(fd, memoryview(data)[start : start + BLOCK])
        fs.sync(fd)


class TestReading:
    """Blocks in the cache are read from the cache, and other blocks past the cache."""

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(st.booleans(), min_size=12, max_size=12),
        st.integers(0, 12 * BLOCK) | st.integers(0, 12).map(BLOCK.__mul__),
        st.integers(0, 13 * BLOCK) | st.integers(0, 13).map(BLOCK.__mul__),
        st.sampled_from([0, 0, 0, 64]),
    )
    def test_whatever_part_is_cached_the_bytes_are_those_of_the_file(
        self, tmp_path_factory, cached, offset, size, shift
    ):
        data = np.random.default_rng(1).bytes(12 * BLOCK - 17)
        path = tmp_path_factory.mktemp("read") / "file"
        write_by_blocks(path, data)
        fd, _ = fs.open_regular(str(path))
        with fs.closing(fd):
            for place, there in enumerate(cached):
                if not there:
                    os.posix_fadvise(fd, place * BLOCK, BLOCK, os.POSIX_FADV_DONTNEED)
            buffer = chunk(size, shift, 0)
            with contextlib.closing(OpenFile(fd, layout.LARGE_PACK)) as file:
                count = file.read_into(buffer, offset)
            assert count == max(0, min(size, len(data) - offset))
            assert bytes(buffer[:count]) == data[offset : offset + size]

    def test_what_is_not_in_the_cache_stays_out_of_it(self, home, beside):
        # The array is much larger than the part that the system reads ahead with the header.
        array = np.arange(10 << 20, dtype=np.float32)
        beside.commit(Snapshot({"a": array}))
        if in_cache(home / "ckpt-1.safetensors"):
            pytest.skip("what is written past the cache of this file system is in it")
        beside.close()
        assert (beside.newest().arrays["a"] == array).all()
        assert not in_cache(home / "ckpt-1.safetensors")

    @pytest.mark.parametrize("out", ["nothing", "first", "last", "last of a small file"])
    def test_only_what_is_not_in_the_cache_is_read_from_the_disk(self, tmp_path, monkeypatch, out):
        path = tmp_path / "file"
        write_by_blocks(path, bytes(12 * BLOCK))
        past = []
        monkeypatch.setattr(os, "preadv", lambda *arguments: past.append(arguments) or 0)
        fd, _ = fs.open_regular(str(path))
        with fs.closing(fd):
            if out != "nothing":
                place = 0 if out == "first" else 11
                os.posix_fadvise(fd, place * BLOCK, BLOCK, os.POSIX_FADV_DONTNEED)
                if in_cache(path, place):
                    pytest.skip("this file system keeps all of it in memory")
            size = layout.LARGE_PACK - ("small" in out)
            with contextlib.closing(OpenFile(fd, size)) as file:
                assert file.read_into(chunk(12 * BLOCK, 0, 1), 0) == 12 * BLOCK
        assert len(past) == (out in ("first", "last"))

    @pytest.mark.parametrize("call", [None, lambda *_: -1])
    def test_where_nobody_can_tell_it_is_read_as_ever(self, home, beside, monkeypatch, call):
        beside.commit(Snapshot({"a": np.arange(1 << 20, dtype=np.float32)}))
        beside.close()
        monkeypatch.setattr(page_cache, "_mincore", lambda: call)
        monkeypatch.setattr(os, "preadv", None)
        assert (beside.newest().arrays["a"] == np.arange(1 << 20)).all()

    @pytest.mark.parametrize("answer", [errno.EOPNOTSUPP, errno.EINVAL, errno.EIO])
    def test_where_it_cannot_be_done_it_is_read_as_ever(self, home, beside, monkeypatch, answer):
        def refusing(*arguments):
            raise OSError(answer, os.strerror(answer))

        beside.commit(Snapshot({"a": np.arange(1 << 20, dtype=np.float32)}))
        beside.close()
        monkeypatch.setattr(os, "preadv", refusing)
        assert (beside.newest().arrays["a"] == np.arange(1 << 20)).all()
