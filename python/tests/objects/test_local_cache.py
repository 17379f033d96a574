"""A folder in front of a store: commits are local, and what is newer is restored."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from store_places import StorePlace

import rekindle
from rekindle import inspection
from rekindle._storage.cached import mirror
from rekindle.errors import DamageWarning, SaveWarning


class Machine:
    """A manager of one value, on a machine with a cache of its own."""

    def __init__(self, place, cache):
        self.cache = cache
        self.checkpoint = rekindle.Checkpoint(weights=np.zeros(3000), step=0)
        options = {**place.options, "local_cache": str(cache)}
        self.manager = rekindle.CheckpointManager(
            self.checkpoint, place.url, 2, storage_options=options
        )

    def save(self, value):
        self.checkpoint.step = value
        self.checkpoint.weights = np.full(3000, float(value))
        return self.manager.save()

    def restored(self):
        self.manager.restore_or_initialize()
        assert (self.checkpoint.weights == self.checkpoint.step).all()
        return self.checkpoint.step


def in_store(place):
    """The newest value in the store itself, whole."""
    path = rekindle.latest_checkpoint(place.url, storage_options=place.server.options)
    if path is None:
        return None
    name = path.rpartition("/")[2]
    arrays = inspection.values(place.url, None, name, storage_options=place.server.options)
    [value] = {float(one) for array in arrays.values() for one in array.ravel()}
    return int(value)


@pytest.fixture
def place(s3, proxy):
    return StorePlace(s3, proxy.endpoint)


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """A mirror that failed tries again soon."""
    monkeypatch.setattr(mirror, "_PAUSE", 0.1)


def test_a_save_is_durable_here_and_comes_into_the_store(place, tmp_path):
    one = Machine(place, tmp_path / "cache")
    with one.manager:
        for value in (1, 2, 3):
            assert one.save(value) == f"{place.url}/ckpt-{value}"
            assert rekindle.latest_checkpoint(tmp_path / "cache").endswith(f"ckpt-{value}")
    assert in_store(place) == 3
    here = {path.name for path in (tmp_path / "cache").iterdir()}
    there = {name.rpartition("/")[2] for name in place.server.objects(place.prefix)}
    assert {name for name in here if name.startswith("ckpt-")} == {
        name for name in there if name.startswith("ckpt-")
    }


def test_another_machine_goes_on_and_the_first_takes_that_later(place, tmp_path):
    first = Machine(place, tmp_path / "first")
    with first.manager:
        first.save(1)
    second = Machine(place, tmp_path / "second")
    with second.manager:
        assert second.restored() == 1
        second.save(2)
        with pytest.raises(rekindle.LockError):
            Machine(place, tmp_path / "third").save(9)
    again = Machine(place, tmp_path / "first")
    assert again.manager.latest_checkpoint.endswith("ckpt-2")
    with again.manager:
        assert again.restored() == 2
        again.save(3)
    assert in_store(place) == 3


def test_while_the_network_is_away_saves_go_on_and_are_sent_later(place, proxy, tmp_path):
    one = Machine(place, tmp_path / "cache")
    with one.manager:
        one.save(1)
        proxy.cut()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for value in range(2, 400):
                one.save(value)
                if caught:
                    break
        [told] = caught
        assert told.category is SaveWarning
        assert "alone: it could not be sent" in str(told.message)
        assert rekindle.latest_checkpoint(tmp_path / "cache").endswith(f"ckpt-{value}")
        proxy.mend()
    assert in_store(place) == value


def test_what_was_not_sent_before_a_kill_is_found_on_the_same_machine(place, proxy, tmp_path):
    script = (
        "import os, signal, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from test_local_cache import Machine\n"
        "class Place: url, options = sys.argv[2], eval(sys.argv[3])\n"
        "one = Machine(Place, sys.argv[4])\n"
        "one.save(1)\n"
        "while not one.manager._checkpointer.storage._mirror._there.get('ckpt-1.json'): pass\n"
        "print(flush=True); sys.stdin.readline()\n"
        "one.save(2)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    here = Path(__file__).parent
    code = f"import sys; sys.path.insert(0, {str(here.parent / 'shared')!r})\n" + script
    command = [sys.executable, "-c", code, str(here), place.url, repr(place.options)]
    with subprocess.Popen(
        [*command, str(tmp_path / "cache")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        proxy.cut()
        child.communicate(b"\n", timeout=60)
    assert child.returncode == -signal.SIGKILL
    proxy.mend()
    assert in_store(place) == 1
    one = Machine(place, tmp_path / "cache")
    with one.manager:
        assert one.restored() == 2
    assert in_store(place) == 2


@pytest.mark.parametrize("what", [".json", ".safetensors"])
def test_a_damaged_cache_gives_way_to_the_store(place, tmp_path, what):
    one = Machine(place, tmp_path / "cache")
    with one.manager:
        one.save(1)
        one.save(2)
    [path] = (tmp_path / "cache").glob(f"ckpt-2*{what}")
    data = bytearray(path.read_bytes())
    data[-60] ^= 1
    path.write_bytes(data)
    again = Machine(place, tmp_path / "cache")
    with again.manager, warnings.catch_warnings():
        warnings.simplefilter("ignore", DamageWarning)
        assert again.restored() == 2


def test_the_end_of_a_run_clears_both(place, tmp_path):
    one = Machine(place, tmp_path / "cache")
    with one.manager:
        one.save(1)
        one.manager._checkpointer.clear()
    assert place.server.objects(place.prefix) == {}
    assert not (tmp_path / "cache").exists()


def test_the_threads_of_a_closed_place_end(place, tmp_path):
    before = threading.active_count()
    for _ in range(3):
        with contextlib.closing(Machine(place, tmp_path / "cache").manager) as one:
            one.save()
    names = [thread.name for thread in threading.enumerate()]
    assert "rekindle-mirror" not in names
    assert len(names) <= before + 2


def test_a_cache_that_is_no_path_is_refused():
    with pytest.raises(rekindle.ArgumentError, match="local_cache"):
        inspection.info("s3://bucket/run", storage_options={"local_cache": 3})
