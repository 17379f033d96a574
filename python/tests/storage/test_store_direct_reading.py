"""Large packs are read from the cache where it has them, and past it where it has not."""

from __future__ import annotations

import contextlib
import errno
import os

import numpy as np
import pytest
from blocks import BLOCK, chunk, in_cache
from hypothesis import given, settings
from hypothesis import strategies as st

from rekindle._format import layout
from rekindle._format.snapshot import Snapshot
from rekindle._storage.local import fs, page_cache
from rekindle._storage.local.open_file import OpenFile
from rekindle._storage.local.page_cache import ReadBack

pytestmark = pytest.mark.usefixtures("past_cache_works")


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
