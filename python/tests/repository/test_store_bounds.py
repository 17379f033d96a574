"""Reading a folder has limits in memory and in time that no folder can exceed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import rekindle
from rekindle import inspection
from rekindle._format import layout
from rekindle._format.manifest import Array, Manifest, Pack, Position, encode
from rekindle._format.snapshot import Snapshot
from rekindle._inspection.describe import placed
from rekindle._inspection.results import Check
from rekindle._repository.repository import Repository
from rekindle._storage.local import fs
from rekindle._storage.local.storage import LocalStorage
from rekindle.errors import ArgumentError, SaveError

sys.path.insert(0, str(Path(__file__).parents[2]))

from faults import heavy


def look(folder: Path) -> None:
    """Calls every function that reads a folder without its lock."""
    inspection.info(folder)
    inspection.verify(folder)
    for read in (rekindle.latest_checkpoint, inspection.history, inspection.arrays):
        with contextlib.suppress(rekindle.RekindleError):
            read(folder)


def seconds(work: Callable[[], object]) -> float:
    """The processor seconds of `work`: the smaller value of two attempts."""
    spent = []
    for _ in range(2):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)


@pytest.fixture(scope="module")
def unit() -> float:
    """A time that is too short to measure on this machine: twice a parse of 10,000 objects."""
    text = json.dumps([{"name": str(index), "values": [index, 1.5]} for index in range(10_000)])
    return 2 * seconds(lambda: json.loads(text))


def arrays(folder: Path, count: int) -> None:
    """A checkpoint of many arrays."""
    one = Repository(LocalStorage(str(folder)), "1.2.3")
    value = np.zeros(1, np.float32)
    names = [f"model/a_layer_with_a_long_name/block_{index}/kernel" for index in range(count)]
    tree = {name: {"$": ["array", name]} for name in names}
    one.commit(Snapshot(dict.fromkeys(names, value), {"checkpoint": tree}))
    one.close()


def packs(folder: Path, count: int) -> None:
    """Packs that no checkpoint needs."""
    for index in range(count):
        (folder / f"ckpt-{index}.safetensors").write_bytes(b"12345678{}")


def saves(folder: Path, count: int) -> None:
    for number in range(1, count + 1):
        heavy.manifest(folder, number)


def prefixes(folder: Path, count: int) -> None:
    """Checkpoints with many names."""
    for number in range(1, count + 1):
        heavy.manifest(folder)
        (folder / "ckpt-1.json").rename(folder / f"name{number}-1.json")


def foreign(folder: Path, count: int) -> None:
    """Files of other programs, half of which have names like ours."""
    for index in range(count):
        (folder / f"notes-{index}.txt").write_text("{}")
        (folder / f"notes-{index}.json").write_text("{}")


class TestTime:
    @pytest.mark.parametrize("name", heavy.ALL)
    def test_of_a_forged_folder_it_grows_no_faster_than_the_folder(self, tmp_path, name, unit):
        self._grows_no_faster(tmp_path, heavy.ALL[name], 50_000, unit)

    @pytest.mark.parametrize(
        ("make", "count"),
        [(arrays, 800), (packs, 300), (saves, 80), (prefixes, 80), (foreign, 300)],
    )
    def test_of_an_honest_folder_it_grows_no_faster_than_the_folder(
        self, tmp_path, make, count, unit
    ):
        self._grows_no_faster(tmp_path, make, count, unit)

    def _grows_no_faster(self, tmp_path, make, size, unit, look=look):
        folders = [tmp_path / str(times * size) for times in (1, 16)]
        for folder, times in zip(folders, (1, 16), strict=True):
            folder.mkdir()
            make(folder, times * size)
        # Linear work takes 16 times as long, quadratic work 256 times. Other processes and the host
        # take a share of the processor's time too. Only quadratic work fails in each attempt.
        for _ in range(5):
            less, more = [seconds(lambda folder=folder: look(folder)) for folder in folders]
            if more < 64 * max(less, unit):
                return
        pytest.fail(f"16 times the size took {more / max(less, unit):.0f} times as long")

    def test_to_restore_many_arrays_grows_no_faster_than_their_number(self, tmp_path, unit):
        def restore(folder):
            arrays = {str(index): np.zeros(3) for index in range(int(folder.name))}
            with rekindle.CheckpointManager(rekindle.Checkpoint(x=arrays), folder, 1) as manager:
                manager.restore_or_initialize()
            assert arrays["7"].tolist() == [1.0, 1.0, 1.0]

        def save(folder, count):
            arrays = {str(index): np.ones(3) for index in range(count)}
            with rekindle.CheckpointManager(rekindle.Checkpoint(x=arrays), folder, 1) as manager:
                manager.save()

        self._grows_no_faster(tmp_path, save, 800, unit, restore)

    def test_foreign_files_are_listed_without_a_look_at_each(self, fill, home, monkeypatch):
        fill(1)
        for index in range(500):
            (home / f"notes-{index}.txt").touch()
        looked = []

        def noting(call):
            return lambda path, *given, **more: looked.append(path) or call(path, *given, **more)

        for name in ("open", "stat", "lstat"):
            monkeypatch.setattr(os, name, noting(getattr(os, name)))
        assert len(inspection.info(home).foreign) == 500
        assert 0 < len(looked) < 50

    def test_damaged_saves_find_their_places_in_one_pass(self):
        class Counted(int):
            compared = 0

            def __lt__(self, other):
                Counted.compared += 1
                return int(self) < int(other)

            def __gt__(self, other):
                Counted.compared += 1
                return int(self) > int(other)

        def check(number):
            return Check(f"ckpt-{number}", Counted(number), 0, None)

        whole, damaged = map(check, range(0, 2000, 2)), map(check, range(1, 2000, 2))
        found = placed(list(whole), list(damaged))
        assert [one.number for one in found] == list(range(2000))
        assert Counted.compared < 30_000

    def test_damaged_saves_are_set_aside_after_one_listing(self, fill, opened, home, monkeypatch):
        fill(1)
        for number in range(2, 40):
            (home / f"ckpt-{number}.json").write_bytes(b'{"rekindle_format":1,')
        folder = opened()
        folder.open()
        listed = []
        whole = fs.names_in
        monkeypatch.setattr(fs, "names_in", lambda path: listed.append(path) or whole(path))
        with pytest.warns(rekindle.DamageWarning):
            folder.newest()
        assert len(list(home.glob("*.damaged"))) == 38
        assert len(listed) == 1


_CHILD = """
import json, pathlib, resource, sys
import numpy
from test_store_bounds import look
folder = pathlib.Path(sys.argv[1])
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
look(folder)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak is counted in other units")
class TestMemory:
    """Reading a folder may take four times its size in memory, plus 80 MB."""

    @pytest.mark.parametrize(
        ("make", "size"),
        [
            (heavy.lists, 30_000_000),
            (heavy.members, 8_000_000),
            (heavy.numbers, 30_000_000),
            (heavy.rows, 30_000_000),
            (heavy.alike_tuples, 3_000_000),
            (heavy.sparse_manifest, 0),
            (heavy.sparse_list, 0),
            (heavy.sparse_settled, 0),
            (heavy.sparse_header, 10_000),
            (arrays, 50_000),
        ],
    )
    def test_it_is_a_small_multiple_of_what_is_there(self, tmp_path, make, size):
        make(tmp_path, size)
        there = sum(path.stat().st_blocks * 512 for path in tmp_path.iterdir())
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(tmp_path)],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(done.stdout) < 4 * there + (80 << 20)


class TestTheWriterRefusesWhatAReaderWould:
    @pytest.mark.parametrize(
        ("state", "why"),
        [
            ({"x": [[]] * 2_000_000}, "more values than its size allows"),
            ({"x": 10**500}, "more than 400 digits"),
            ({"x": float("nan")}, "not JSON compliant"),
        ],
    )
    def test_in_the_state(self, folder, home, snapshot, state, why):
        folder.commit(snapshot(1))
        with pytest.raises(SaveError, match=f"no reader would accept it .*{why}"):
            folder.commit(Snapshot({"a": np.zeros(1)}, state))
        assert sorted(path.name for path in home.glob("ckpt*")) == [
            "ckpt-1.json",
            "ckpt-1.safetensors",
        ]
        assert folder.newest().manifest.number == 1

    def test_a_manifest_that_is_too_large(self, folder, monkeypatch):
        monkeypatch.setattr(layout, "MAX_MANIFEST_BYTES", 10_000)
        values = {f"array {index}": np.zeros(1) for index in range(100)}
        with pytest.raises(SaveError, match="with 100 arrays, and readers accept at most 10000"):
            folder.commit(Snapshot(values))

    def test_a_pack_whose_header_is_too_large(self, folder, home, monkeypatch):
        monkeypatch.setattr(layout, "MAX_PACK_HEADER_BYTES", 1000)
        with pytest.raises(SaveError, match="longer in total than readers accept"):
            folder.commit(Snapshot({f"array {index}": np.zeros(1) for index in range(100)}))
        assert list(home.glob("*ckpt*")) == []

    def test_an_array_of_too_many_axes(self, folder):
        class Many(np.ndarray):
            ndim = 33

        with pytest.raises(ArgumentError, match="has 33 axes"):
            folder.commit(Snapshot({"a": np.zeros(1).view(Many)}))

    def test_a_number_that_no_name_has(self, folder, snapshot):
        with pytest.raises(SaveError, match="checkpoints have numbers up to 999999"):
            folder.commit(snapshot(1), number=10**18)


def test_a_hundred_thousand_arrays_of_long_names_are_no_more_than_a_reader_takes():
    names = [f"{'layer/' * 16}{index:06}" for index in range(100_000)]
    row = Array("float32", (1024, 1024), "ckpt-100000.safetensors", 10**12, 10**12 + 4, "0" * 32)
    tree = {name: {"$": ["array", name]} for name in names}
    text = encode(
        Manifest(
            number=1,
            serial=1,
            run="0" * 32,
            time=1.7e9,
            version="1.2.3",
            position=Position(),
            arrays=dict.fromkeys(names, row),
            packs={row.pack: Pack(1, 1, "0" * 32)},
            state={"checkpoint": tree},
        )
    )
    assert len(text) < layout.MAX_MANIFEST_BYTES / 2
