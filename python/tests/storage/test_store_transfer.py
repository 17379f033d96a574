from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest

from rekindle._base import parallel
from rekindle._base.arrays import digest
from rekindle._format.snapshot import Snapshot
from rekindle._repository import pack
from rekindle._storage.local import buffered, fs
from rekindle.errors import DamageError, RestoreError

MEGABYTE = 1 << 20


def large(count: int = 6) -> Snapshot:
    """A state that several threads read, with small arrays between large ones."""
    random = np.random.default_rng(5)
    arrays = {f"large/{i}": random.random((11 * MEGABYTE + 3) // 8) for i in range(count)}
    arrays |= {f"small/{i}": np.full(7, i, np.int16) for i in range(500)}
    return Snapshot(arrays)


@pytest.fixture
def two_readers(monkeypatch):
    monkeypatch.setattr(parallel.os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)


class TestReading:
    def test_arrays_read_by_several_threads_are_those_written(self, folder, two_readers):
        threads, helped = set(), threading.Event()

        def noting(*block):
            threads.add(threading.get_ident())
            if threading.current_thread() is threading.main_thread():
                # So that the other thread gets its share.
                assert helped.wait(600)
            helped.set()
            return whole(*block)

        snapshot = large()
        folder.commit(snapshot)
        folder.close()
        with pytest.MonkeyPatch.context() as patch:
            whole = pack._read_block
            patch.setattr(pack, "_read_block", noting)
            save = folder.newest()
        assert len(threads) == 2
        assert list(save.arrays) == list(snapshot.arrays)
        for name, array in snapshot.arrays.items():
            np.testing.assert_array_equal(save.arrays[name], array)
            assert save.arrays[name].flags.aligned
            assert save.arrays[name].flags.writeable

    @pytest.mark.parametrize("name", ["large/0", "large/5", "small/0", "small/499"])
    def test_one_wrong_bit_is_found_in_whatever_part_it_lies(self, folder, home, two_readers, name):
        manifest = folder.commit(large())
        with (home / "ckpt-1.safetensors").open("r+b") as file:
            file.seek(manifest.arrays[name].stop - 1)
            last = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([last ^ 64]))
        folder.close()
        with pytest.raises(DamageError, match=f"'{name}' in .* does not match its digest"):
            folder.newest()

    def test_a_disk_that_fails_in_one_thread_fails_the_restore(
        self, folder, two_readers, monkeypatch
    ):
        reached = threading.Event()

        def failing(fd, buffer, offset):
            if offset > 20 * MEGABYTE:
                if threading.current_thread().name == "rekindle-helper":
                    reached.set()
                    raise OSError(5, "Input/output error")
                # So that the other thread gets its share.
                assert reached.wait(600)
            return whole(fd, buffer, offset)

        folder.commit(large())
        folder.close()
        whole = fs.read_into
        monkeypatch.setattr(fs, "read_into", failing)
        with pytest.raises(RestoreError, match="Input/output error"):
            folder.newest()
        assert not [t for t in threading.enumerate() if t.name == "rekindle-helper"]

    def test_where_no_thread_can_be_had_one_reads_all(self, folder, two_readers, monkeypatch):
        def refusing(thread):
            raise RuntimeError("can't start new thread")

        snapshot = large()
        folder.commit(snapshot)
        folder.close()
        monkeypatch.setattr(threading.Thread, "start", refusing)
        save = folder.newest()
        assert all((save.arrays[name] == array).all() for name, array in snapshot.arrays.items())

    def test_a_large_array_lies_where_jax_needs_no_copy_of_it(self, folder):
        folder.commit(large())
        folder.close()
        arrays = folder.newest().arrays
        assert all(arrays[f"large/{i}"].ctypes.data % 64 == 0 for i in range(6))

    def test_a_small_array_that_is_kept_keeps_little_else_in_memory(self, folder):
        folder.commit(large())
        folder.close()
        array = folder.newest().arrays["small/3"]
        while array.base is not None:
            array = array.base
        assert array.nbytes <= MEGABYTE + 64


class TestSharingOut:
    def test_each_item_is_worked_on_once(self):
        done: list[int] = []
        parallel.share_out(done.extend, range(10_000), 3)
        assert sorted(done) == list(range(10_000))

    def test_after_an_error_the_others_get_no_more(self):
        done = []

        def work(items):
            for item in items:
                if threading.current_thread().name == "rekindle-helper":
                    raise OSError(5, "Input/output error")
                while any(one.name == "rekindle-helper" for one in threading.enumerate()):
                    time.sleep(0.001)
                done.append(item)

        with pytest.raises(OSError, match="Input/output error"):
            parallel.share_out(work, range(1000), 2)
        assert len(done) <= 1

    @pytest.mark.parametrize("where", ["start", "join"])
    def test_an_interrupt_is_raised_once_the_others_have_ended(self, monkeypatch, where):
        others, going = [], []

        def work(items):
            for _ in items:
                if threading.current_thread() is not threading.main_thread():
                    going.append(True)
                    while not interrupts:
                        time.sleep(0.001)
                    time.sleep(0.2)
                    others.append(len(interrupts))
                    return

        interrupts = []
        whole = getattr(threading.Thread, where)

        def interrupted(thread, *args):
            if where == "start":
                whole(thread)
            if not interrupts:
                while not going:
                    time.sleep(0.001)
                interrupts.append(KeyboardInterrupt())
                raise interrupts[0]
            if where == "join":
                whole(thread, *args)

        monkeypatch.setattr(threading.Thread, where, interrupted)
        with pytest.raises(KeyboardInterrupt):
            parallel.share_out(work, iter(lambda: len(going), 1), 2)
        assert others == [1]


class TestWriting:
    def test_large_and_small_arrays_are_written_in_full(self, folder, home):
        snapshot = large(3)
        manifest = folder.commit(snapshot)
        data = (home / "ckpt-1.safetensors").read_bytes()
        for name, array in snapshot.arrays.items():
            row = manifest.arrays[name]
            assert data[row.start : row.stop] == array.tobytes()

    def test_a_system_that_cannot_begin_early_writes_the_same(self, folder, home, monkeypatch):
        monkeypatch.setattr(buffered, "_sync_file_range", lambda: None)
        snapshot = large(3)
        folder.commit(snapshot)
        folder.close()
        save = folder.newest()
        assert all((save.arrays[name] == array).all() for name, array in snapshot.arrays.items())

    def test_the_disk_is_told_to_begin_with_every_piece_of_a_large_pack(self, folder, monkeypatch):
        told = []
        monkeypatch.setattr(
            buffered, "_sync_file_range", lambda: lambda fd, *rest: told.append(rest)
        )
        folder.commit(large(3))
        assert [flags for _, _, flags in told] == [2] * len(told)
        ends = [offset + length for offset, length, _ in told]
        assert [offset for offset, _, _ in told] == [0, *ends[:-1]]
        assert ends[-1] >= 24 * MEGABYTE

    def test_hashing_lets_other_threads_run(self):
        data = memoryview(bytearray(256 * MEGABYTE))

        def turns_during_one():
            began, ended = threading.Event(), threading.Event()

            def work():
                began.set()
                digest(data)
                ended.set()

            thread = threading.Thread(target=work)
            thread.start()
            began.wait()
            turns = 0
            while not ended.is_set():
                turns += 1
                time.sleep(0.0005)
            thread.join()
            return turns

        # On a busy machine, this thread may get no turn during one of them.
        assert any(turns_during_one() > 2 for _ in range(50))
