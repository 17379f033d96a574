"""Stores that each break one promise. The sweeps must notice: `run.py --mutant NAME`."""

from __future__ import annotations

import os
from collections.abc import Callable

from rekindle._format import decode
from rekindle._repository import commit, garbage, pack, repository
from rekindle._storage.local import fs, lock, storage


def no_folder_sync() -> None:
    fs.sync_folder = lambda path: None


def no_file_sync() -> None:
    fs.sync = lambda fd: None


def no_sync_before_commit() -> None:
    def prepare(self):
        keep, fs.sync_folder = fs.sync_folder, lambda path: None
        try:
            return whole(self)
        finally:
            fs.sync_folder = keep

    whole = commit.Commit.prepare
    commit.Commit.prepare = prepare


def no_sync_after_commit() -> None:
    commit.Commit.acknowledge = lambda self: None


def manifest_in_place() -> None:
    def publish(self):
        data = fs.read_file(self._temporary, 1 << 30)
        fs.discard(self._path)
        fs.write_new(self._path, data)
        fs.remove(self._temporary)

    storage.LocalStaging.publish = publish


def manifest_before_pack() -> None:
    def write(folder, name, *arguments):
        written, rows = pack_write(folder, name, *arguments)
        path = folder.where(name)
        with open(path, "rb") as file:
            late[path] = file.read()
        with open(path, "wb"):
            pass
        return written, rows

    def publish(self):
        whole(self)
        for path, data in late.items():
            with open(path, "wb", buffering=0) as file:
                file.write(data)
                os.fsync(file.fileno())
        late.clear()

    late: dict[str, bytes] = {}
    pack_write, pack.write = pack.write, write
    whole, commit.Commit.publish = commit.Commit.publish, publish


def older_goes_first() -> None:
    def _begin(self, snapshot, number):
        self.keep([])
        return whole(self, snapshot, number)

    whole = repository.Repository._begin
    repository.Repository._begin = _begin


def newest_cleared_first() -> None:
    order = repository.Repository._remove_all

    def _remove_all(self):
        self._remove(self.numbers[-1:])
        self._garbage.sync()
        order(self)

    repository.Repository._remove_all = _remove_all


def sweep_without_sync() -> None:
    garbage.GarbageCollector.sync = lambda self: None


def leftovers_stay() -> None:
    garbage.GarbageCollector.sweep = lambda self, catalog, **how: None


def partial_files_stay() -> None:
    fs.discard = lambda path: None


def arrays_unchecked() -> None:
    pack._check = lambda key, row, found: None


def manifest_unchecked() -> None:
    def _checked(data):
        digest = data[-35:-3].decode("ascii", "replace")
        decode.xxhash = type("x", (), {"xxh3_128_hexdigest": staticmethod(lambda _: digest)})
        return whole(data)

    whole = decode._checked
    decode._checked = _checked


def layout_unchecked() -> None:
    decode._check_layout = lambda manifest, prefix: None


def refusals_escape() -> None:
    def commit_(self, snapshot, number=None):
        self.open()
        return self._carry_out(self._begin(snapshot, number))

    repository.Repository.commit = commit_


def no_lock() -> None:
    lock._try_lock = lambda fd: True


def short_writes_believed() -> None:
    fs.write_all = lambda fd, data: os.write(fd, data)


# The mutants, by the part of run.py that must notice them.
_BY_PART: dict[str, tuple[Callable[[], None], ...]] = {
    "crash": (
        no_folder_sync,
        no_file_sync,
        no_sync_before_commit,
        no_sync_after_commit,
        manifest_in_place,
        manifest_before_pack,
        older_goes_first,
        newest_cleared_first,
        sweep_without_sync,
        leftovers_stay,
    ),
    "refuse": (partial_files_stay, refusals_escape, short_writes_believed),
    "damage": (arrays_unchecked, manifest_unchecked),
    "fuzz": (layout_unchecked,),
    "race": (no_lock,),
}

ALL = {
    mutant.__name__.replace("_", "-"): mutant for mutants in _BY_PART.values() for mutant in mutants
}

NOTICED_BY = {
    mutant.__name__.replace("_", "-"): part
    for part, mutants in _BY_PART.items()
    for mutant in mutants
}
