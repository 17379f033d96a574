"""Fixtures of all tests: the process, and a folder with checkpoints. It imports no framework."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from rekindle._format.manifest import Position
from rekindle._format.snapshot import Snapshot
from rekindle._repository.repository import Repository
from rekindle._storage.local.storage import LocalStorage

# The speed of the examples depends on the machine.
settings.register_profile(
    "at any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("at any speed")


@pytest.fixture(autouse=True, scope="session")
def ignores_nothing():
    """Under nohup, or in a background job, the process and its children ignore some signals."""
    for one in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(one) == signal.SIG_IGN:
            is_ctrl_c = one == signal.SIGINT
            signal.signal(one, signal.default_int_handler if is_ctrl_c else signal.SIG_DFL)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "backup"


@pytest.fixture
def opened(home: Path) -> Iterator[Callable[..., Repository]]:
    """Opens folders at `home`, one after the other, and releases all of them at the end."""
    folders = []

    def make(path: Path = home) -> Repository:
        for folder in folders:
            folder.close()
        folders.append(Repository(LocalStorage(str(path)), "1.2.3"))
        return folders[-1]

    yield make
    for folder in folders:
        folder.close()


@pytest.fixture
def folder(opened: Callable[..., Repository]) -> Repository:
    made = opened()
    made.open()
    return made


def snapshot(index: int, *, frozen: int = 1000) -> Snapshot:
    """A snapshot of an array that changes and an array that does not change."""
    arrays = {
        "changes": np.full((3, 4), index, np.float32),
        "frozen": np.arange(frozen, dtype=np.int64),
    }
    return Snapshot(arrays, {"index": index}, Position(10 * index, index, 0))


@pytest.fixture(name="snapshot")
def _snapshot() -> Callable[..., Snapshot]:
    return snapshot


@pytest.fixture
def fill(opened: Callable[..., Repository]) -> Callable[..., Repository]:
    """Saves 1 to `count` in the folder at `home`, keeps `kept` of them, and closes the folder."""

    def fill(count: int, kept: int = 20) -> Repository:
        folder = opened()
        for index in range(1, count + 1):
            folder.commit(snapshot(index))
            folder.keep(folder.numbers[-kept:])
        folder.close()
        return folder

    return fill
