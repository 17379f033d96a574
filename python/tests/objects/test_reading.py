"""Large objects are read in streams, small ones at once: the bytes are the same."""

from __future__ import annotations

import random
import threading
import uuid

import numpy as np
import pytest

from rekindle._format.snapshot import Snapshot
from rekindle._repository import pack, runs
from rekindle._repository.repository import Repository
from rekindle._storage.remote import objects, reading
from rekindle._storage.resolve import resolve

SIZE = 50_000


@pytest.fixture
def small_chunks(monkeypatch):
    """An object of kilobytes is read as one of gigabytes is."""
    whole = objects.Objects.stream

    def stream(self, name, start, stop):
        # A store in memory gives all at once.
        for chunk in whole(self, name, start, stop):
            yield from (chunk[at : at + 700] for at in range(0, len(chunk), 700))

    monkeypatch.setattr(objects.Objects, "stream", stream)
    monkeypatch.setattr(reading, "SMALL", 300)
    monkeypatch.setattr(reading, "_GAP", 200)


@pytest.fixture
def storage():
    made = resolve(f"memory://{uuid.uuid4().hex}/run")
    made.hold()
    yield made
    made.release()


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_reads_gives_the_bytes_of_the_object(small_chunks, storage, seed):
    data = np.random.default_rng(seed).bytes(SIZE)
    storage.write_pack("ckpt-1.safetensors", SIZE, [memoryview(data)])
    chosen = random.Random(seed)
    with storage.open("ckpt-1.safetensors") as file:
        at = 0
        for _ in range(60):
            if chosen.random() < 0.4:
                at = chosen.randrange(SIZE)
            if chosen.random() < 0.4:
                file.expect(at, min(SIZE + 100, at + chosen.randrange(20_000)))
            at += chosen.choice([0, 0, 0, 50, 150])
            buffer = bytearray(chosen.choice([0, 1, 100, 299, 301, 700, 2000, 9000]))
            count = file.read_into(memoryview(buffer), at)
            assert bytes(buffer[:count]) == data[at : at + len(buffer)]
            at += count


@pytest.mark.parametrize("quick", [1 << 60, 0])
def test_one_stream_and_several_give_the_same_arrays(small_chunks, storage, quick, monkeypatch):
    monkeypatch.setattr(pack, "_BATCH", 500)
    monkeypatch.setattr(pack, "_PIECE", 400)
    monkeypatch.setattr(runs, "_RUN", 3000)
    monkeypatch.setattr(runs, "_QUICK", quick)
    monkeypatch.setattr("rekindle._storage.remote.storage._SHARE", 4000)
    made = np.random.default_rng(3)
    arrays = {f"a{i}": made.normal(size=made.integers(1, 900)) for i in range(40)}
    one = Repository(storage, "1.2.3")
    one.commit(Snapshot(arrays))
    used = set()
    thread = reading._fetch

    def fetch(*given):
        used.add(threading.get_ident())
        thread(*given)

    monkeypatch.setattr(reading, "_fetch", fetch)
    found = one.newest().arrays
    assert {name: value.tobytes() for name, value in found.items()} == {
        name: value.tobytes() for name, value in arrays.items()
    }
    assert len(used) >= 1
