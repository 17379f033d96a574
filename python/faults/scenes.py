"""The scenes that are crashed: a first save, later saves, the sweep, the clean-up, on one store.

A scene is prepared, then runs in a child that may die. A fresh reader then judges the folder. Each
checkpoint has an index, and all its bits follow from the index.
"""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rekindle._format import layout
from rekindle._format.manifest import Position
from rekindle._format.snapshot import LoadedCheckpoint, Snapshot
from rekindle._repository import dedup
from rekindle._repository.repository import Repository
from rekindle._storage.local import recycle
from rekindle._storage.local.storage import LocalStorage
from rekindle.errors import RekindleError, RekindleWarning

BOX = "backup"  # The backup folder, inside the folder that is watched.

Begin = Callable[[], None]
Ack = Callable[[int], None]


def arrays(index: int) -> dict[str, Any]:
    """Arrays: some never change, one changes seldom, and some change with each index."""
    often = np.random.default_rng(index)
    seldom = np.random.default_rng(1000 + index // 2)
    return {
        "often": often.standard_normal((16, 16), np.float32),
        "seldom": seldom.standard_normal(200),
        "never": np.arange(900, dtype=np.int32),
        "step": np.int64(index),
        "empty": np.zeros((0, 4), np.float16),
    }


def snapshot(index: int) -> Snapshot:
    return Snapshot(arrays(index), {"index": index}, Position(index, index, 0))


def index_of(save: LoadedCheckpoint) -> int:
    """The checkpoint's index. Raises an error if any bit differs from that checkpoint."""
    index = save.manifest.state["index"]
    expected = arrays(index)
    assert list(save.arrays) == list(expected)
    for name, array in expected.items():
        found = save.arrays[name]
        assert found.dtype == array.dtype, name
        assert found.shape == array.shape, name
        assert found.tobytes() == array.tobytes(), name
    return index


@contextlib.contextmanager
def as_if_large() -> Iterator[None]:
    """Within the block, small arrays go to the disk like the arrays of a large model.

    They go into separate packs, and over old packs or past the system's cache.
    """
    settled, dedup._LEAST_SETTLED = dedup._LEAST_SETTLED, 0
    written_over, recycle._LEAST = recycle._LEAST, 0
    past_cache, layout.LARGE_PACK = layout.LARGE_PACK, 0
    try:
        yield
    finally:
        dedup._LEAST_SETTLED, recycle._LEAST = settled, written_over
        layout.LARGE_PACK = past_cache


class Store:
    """rekindle's store as the thing that is crashed."""

    name = "rekindle"

    def open(self, top: str, *, past_cache: bool = False) -> Repository:
        return Repository(LocalStorage(os.path.join(top, BOX), past_cache=past_cache), "0.0.0")

    def save(self, top: str, saves: range, kept: int) -> None:
        folder = self.open(top)
        for index in saves:
            folder.commit(snapshot(index))
            folder.keep(folder.numbers[-kept:])
        folder.close()

    def restored(self, top: str) -> int | None:
        """The index of the checkpoint that a fresh reader restores, or None if there is none."""
        folder = self.open(top)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RekindleWarning)
                save = folder.newest()
            return None if save is None else index_of(save)
        finally:
            folder.close()

    def goes_on(self, top: str, kept: int) -> str | None:
        """What is wrong with the next save after a crash, or None."""
        folder = self.open(top)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RekindleWarning)
            folder.newest()
            warnings.simplefilter("error")
            manifest = folder.commit(snapshot(77))
            folder.keep(folder.numbers[-kept:])
        expected = {".lock", "checkpoint"} | {f"ckpt-{number}.json" for number in folder.numbers}
        expected |= folder._index.packs_in_use()
        folder.close()
        if self.restored(top) != 77:
            return "the next save is not the one restored"
        found = {name for name in os.listdir(folder.storage.url) if ".damaged" not in name}
        if found != expected:
            return f"after the next save ({manifest.number}) the folder holds {sorted(found)}"
        return None


@dataclass(frozen=True)
class Scene:
    """One thing that a crash may hit.

    Attributes:
        name: The name in the tables.
        saves: How many checkpoints exist when it begins.
        act: Runs the scene in the folder. It calls `begin()` when all is ready, and `ack(index)`
            when a save is acknowledged.
        kept: How many checkpoints are kept.
        before: The checkpoints that may be restored as long as no save is acknowledged.
        after: The checkpoints that may be restored after that.
    """

    name: str
    saves: int
    act: Callable[[str, Begin, Ack], None]
    kept: int
    before: frozenset[int | None]
    after: frozenset[int | None]

    def judge(self, thing: Any, top: str, *, acknowledged: bool) -> str | None:
        """What is wrong with the folder when a fresh reader opens it, or None."""
        allowed = self.after if acknowledged else self.before
        try:
            found = thing.restored(top)
        except RekindleError as error:
            return f"{type(error).__name__}: {error}"
        except Exception as error:  # noqa: BLE001  (any at all is a finding)
            return f"{type(error).__name__}: {error}"
        if found not in allowed:
            return f"save {found} was restored, where one of {sorted(map(str, allowed))} was due"
        return thing.goes_on(top, self.kept)


# The number of checkpoints that exist when the later scenes begin.
_SAVES = 4

# By the number of checkpoints kept: the index of a save. The sweep after that save removes a pack
# in which no array is used any more.
LAST_BEFORE_A_SPARE = {1: 8, 2: 7}


def with_a_spare(store: Store, top: str, kept: int, *, past_cache: bool = False) -> Repository:
    """The folder with more checkpoints and with a spare. A broken store may have no spare."""
    folder = store.open(top, past_cache=past_cache)
    folder.newest()
    with as_if_large():
        for index in range(_SAVES, LAST_BEFORE_A_SPARE[kept] + 1):
            folder.commit(snapshot(index))
            folder.keep(folder.numbers[-kept:])
    return folder


@dataclass(frozen=True)
class Acts:
    """What the scenes do in the folder, on rekindle's store. See `Scene.act`.

    Attributes:
        store: The store.
        kept: How many checkpoints are kept.
    """

    store: Store
    kept: int

    def _save(self, folder: Repository, index: int, ack: Ack, number: int | None = None) -> None:
        folder.commit(snapshot(index), number)
        ack(index)
        folder.keep(folder.numbers[-self.kept :])

    def first(self, top: str, begin: Begin, ack: Ack) -> None:
        begin()
        folder = self.store.open(top)
        folder.open()
        folder.newest()
        self._save(folder, 0, ack)

    def later(self, top: str, begin: Begin, ack: Ack) -> None:
        folder = self.store.open(top)
        folder.open()
        begin()
        folder.newest()
        self._save(folder, _SAVES, ack)

    def apart(self, top: str, begin: Begin, ack: Ack) -> None:
        # The pack of the first checkpoint has too many dead bytes. So the arrays that change and
        # the arrays that do not change are written again, into two packs.
        folder = self.store.open(top)
        folder.newest()
        folder.commit(snapshot(1))
        begin()
        with as_if_large():
            folder.commit(snapshot(2))
        ack(2)
        folder.keep(folder.numbers[-self.kept :])

    def again(self, top: str, begin: Begin, ack: Ack) -> None:
        folder = self.store.open(top)
        folder.newest()
        begin()
        self._save(folder, _SAVES, ack, number=folder.numbers[-1])

    def over(self, top: str, begin: Begin, ack: Ack, *, past_cache: bool = False) -> None:
        folder = with_a_spare(self.store, top, self.kept, past_cache=past_cache)
        begin()
        with as_if_large():
            self._save(folder, LAST_BEFORE_A_SPARE[self.kept] + 1, ack)

    def past(self, top: str, begin: Begin, ack: Ack) -> None:
        folder = self.store.open(top, past_cache=True)
        folder.newest()
        begin()
        with as_if_large():
            self._save(folder, _SAVES, ack)
            folder.read_back(lambda: False)

    def close(self, top: str, begin: Begin, ack: Ack) -> None:
        folder = with_a_spare(self.store, top, self.kept)
        begin()
        folder.close()

    def sweep(self, top: str, begin: Begin, ack: Ack) -> None:
        folder = self.store.open(top)
        folder.newest()
        for index in range(_SAVES, _SAVES + 3):
            folder.commit(snapshot(index))
        for name in (".rekindle-ckpt-9.json.tmp", ".rekindle-checkpoint.tmp"):
            with open(os.path.join(folder.storage.url, name), "wb") as file:
                file.write(b"left behind")
        begin()
        folder.keep(folder.numbers[-self.kept :])

    def clean_up(self, top: str, begin: Begin, ack: Ack) -> None:
        folder = with_a_spare(self.store, top, self.kept)
        begin()
        folder.clear()


def scenes(kept: int, store: Store | None = None) -> list[Scene]:
    """The scenes of rekindle's store."""
    act = Acts(store or Store(), kept)
    last, end = _SAVES, _SAVES - 1
    ready = LAST_BEFORE_A_SPARE[kept]
    past_over = functools.partial(act.over, past_cache=True)

    def only(*indices: int | None) -> frozenset[int | None]:
        return frozenset(indices)

    return [
        Scene("first save", 0, act.first, kept, only(None, 0), only(0)),
        Scene("later save", last, act.later, kept, only(end, last), only(last)),
        Scene("save in two packs", 1, act.apart, kept, only(1, 2), only(2)),
        Scene("save over a spare", last, act.over, kept, only(ready, ready + 1), only(ready + 1)),
        Scene("save past the cache", last, act.past, kept, only(end, last), only(last)),
        Scene(
            "the same over a spare", last, past_over, kept, only(ready, ready + 1), only(ready + 1)
        ),
        Scene("same number again", last, act.again, kept, only(end, last), only(last)),
        Scene("sweep", last, act.sweep, kept, only(last + 2), only(last + 2)),
        Scene("close", last, act.close, kept, only(ready), only(ready)),
        Scene("clean-up", last, act.clean_up, kept, only(ready, None), only(ready, None)),
    ]
