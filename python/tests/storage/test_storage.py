"""Every storage keeps the contract, and the repository works on it, whatever call fails."""

from __future__ import annotations

import os
import threading
import warnings

import numpy as np
import pytest
from contract import FilesContract
from contract_of_locks import LockContract
from kinds import KINDS, made

from rekindle._base import memory, tuning
from rekindle._format import layout
from rekindle._format.manifest import Position
from rekindle._format.snapshot import Snapshot
from rekindle._repository import dedup
from rekindle._repository.repository import Repository
from rekindle._storage.local import buffered, fs, page_cache, recycle
from rekindle._storage.local.storage import LocalStorage
from rekindle.errors import ArgumentError, DamageWarning, RekindleError, SaveWarning


@pytest.fixture(params=KINDS)
def place(request, tmp_path, monkeypatch):
    return made(request.param, tmp_path, monkeypatch)


@pytest.fixture
def storage(place):
    made = place.storage()
    made.hold()
    yield made
    made.release()


class TestContract(FilesContract, LockContract):
    """For a folder with the optimizations for Linux, without them, and for memory."""


def snapshot(index: int) -> Snapshot:
    arrays = {
        "often": np.full((40, 50), index, np.float32),
        "never": np.arange(3000, dtype=np.int64),
    }
    return Snapshot(arrays, {"index": index}, Position(index, index, 0))


def index_of(save) -> int:
    index = save.manifest.state["index"]
    assert (save.arrays["often"] == index).all()
    assert (save.arrays["never"] == np.arange(3000)).all()
    return index


def opened(store):
    return Repository(store, "1.2.3")


class TestRepository:
    """Commits, retention, damage and clean-up are the same wherever the bytes lie."""

    def test_the_newest_is_restored_and_only_what_is_kept_stays(self, place):
        one = opened(place.storage())
        for index in range(1, 6):
            one.commit(snapshot(index))
            one.keep(one.numbers[-2:])
        one.read_back(lambda: False)
        one.close()
        again = opened(place.storage())
        assert index_of(again.newest()) == 5
        assert again.numbers == [4, 5]
        named = {name for manifest in again.manifests for name in manifest.packs}
        again.close()
        names = set(place.storage().names())
        assert names == {layout.LOCK, layout.STATE, "ckpt-4.json", "ckpt-5.json"} | named
        again.open()
        again.clear()
        assert not place.storage().exists

    def test_a_damaged_checkpoint_is_quarantined_and_the_one_before_it_used(self, place):
        one = opened(place.storage())
        for index in (1, 2):
            one.commit(snapshot(index))
        names = place.storage().names()
        [pack] = [name for name in names if name.startswith("ckpt-2.") and name != "ckpt-2.json"]
        data = bytearray(place.storage().read(pack, 1 << 20))
        data[-1] ^= 1
        place.plant(pack, bytes(data))
        one.close()
        again = opened(place.storage())
        with pytest.warns(DamageWarning, match=r"ckpt-2\.json\.damaged"):
            assert index_of(again.newest()) == 1
        again.commit(snapshot(3))
        assert index_of(again.newest()) == 3
        again.close()

    def test_foreign_files_stay(self, place):
        place.plant("thesis.txt", b"text")
        one = opened(place.storage())
        one.commit(snapshot(1))
        one.keep([1])
        one.clear()
        assert place.storage().names() == ["thesis.txt"]


class Failure:
    """Fails the call with this number, before or after it took effect.

    Attributes:
        calls: How many calls were made.
    """

    def __init__(self, at, *, late):
        self._at = at
        self._late = late
        self.calls = 0

    def call(self, function, *arguments, **named):
        self.calls += 1
        fails = self.calls == self._at
        if fails and not self._late:
            raise OSError(5, "the call failed")
        result = function(*arguments, **named)
        if fails:
            raise OSError(5, "the answer was lost")
        return result


class Failing:
    """A storage, or a staged file, that passes its calls on through a :class:`Failure`."""

    def __init__(self, inner, failure):
        self._inner = inner
        self._failure = failure

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        # These ignore errors of the system.
        if name in ("release", "discard", "abandon", "where") or not callable(found):
            return found

        def call(*arguments, **named):
            result = self._failure.call(found, *arguments, **named)
            return Failing(result, self._failure) if name == "stage" else result

        return call


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_call_fails_a_whole_checkpoint_is_there_and_the_next_save_works(
    kind, late, tmp_path
):
    at = 0
    while True:
        at += 1
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dedup, "_LEAST_SETTLED", 0)
            place = made(kind, tmp_path / str(at), patch)
            (tmp_path / str(at)).mkdir()
            first = opened(place.storage())
            for index in (1, 2):
                first.commit(snapshot(index))
                first.keep(first.numbers[-1:])
            first.close()
            failure = Failure(at, late=late)
            failing = Failing(place.storage(), failure)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SaveWarning)
                outcome = _saved(opened(failing), 3)
            failing.release()
            _check(place, outcome)
        if outcome == "saved" and failure.calls < at:
            return


def _saved(repository, index):
    try:
        repository.commit(snapshot(index))
        repository.keep(repository.numbers[-1:])
    except RekindleError:
        return "refused"
    finally:
        repository.close()
    return "saved"


def _check(place, outcome):
    again = opened(place.storage())
    found = index_of(again.newest())
    assert found == 3 if outcome == "saved" else found in (2, 3)
    again.commit(snapshot(4))
    again.keep(again.numbers[-1:])
    assert index_of(again.newest()) == 4
    named = {name for manifest in again.manifests for name in manifest.packs}
    number = again.numbers[-1]
    again.close()
    names = set(place.storage().names())
    assert names == {layout.LOCK, layout.STATE, f"ckpt-{number}.json"} | named


def test_without_the_optimizations_none_of_them_is_used(tmp_path, monkeypatch):
    place = made("plain", tmp_path, monkeypatch)

    def never(*arguments, **named):
        raise AssertionError("an optimization was used")

    for owner, name in (
        (fs, "set_direct"),
        (recycle, "is_alone"),
        (page_cache, "_madvise"),
        (page_cache, "_mincore"),
        (buffered, "_begin_writing"),
        (memory, "_ask_for_huge_pages"),
    ):
        monkeypatch.setattr(owner, name, never)
    large = Snapshot({"a": np.arange(5 << 20, dtype=np.float32)})
    one = opened(place.storage())
    for _ in range(3):
        one.commit(large)
        one.keep(one.numbers[-1:])
        one.read_back(lambda: False)
    assert (one.newest().arrays["a"] == large.arrays["a"]).all()
    one.close()


@pytest.mark.parametrize("value", ["", "some", "all,none", "recycle, direct"])
def test_an_unknown_optimization_is_refused_at_once(tmp_path, monkeypatch, value):
    monkeypatch.setenv(tuning.VARIABLE, value)
    with pytest.raises(ArgumentError, match=f"{tuning.VARIABLE}.*'none'.*recycle"):
        LocalStorage(str(tmp_path))


def test_some_optimizations_can_be_named(monkeypatch):
    monkeypatch.setenv(tuning.VARIABLE, "recycle, huge-pages")
    assert [name for name in tuning.NAMES if tuning.uses(name)] == ["recycle", "huge-pages"]


def test_a_relative_folder_is_below_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("relative", "relative/inside", "./../" + tmp_path.name + "/relative"):
        storage = LocalStorage(folder)
        assert storage.hold()
        storage.release()
        assert (tmp_path / folder).is_dir()
    assert not os.path.exists("/relative")


def test_threads_that_list_the_folder_at_the_same_time_all_see_every_name(storage):
    names = {f"ckpt-{number}.safetensors" for number in range(1, 40)}
    for name in names:
        storage.write_pack(name, 3, [memoryview(b"abc")])
    missed = []

    def look():
        missed.extend(names.difference(storage.names()) for _ in range(60))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(missed)
