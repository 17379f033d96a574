"""Fixtures of the tests of a local folder's storage."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from holding import HOLD, start

from rekindle._format import layout
from rekindle._repository.repository import Repository
from rekindle._storage.local import fs
from rekindle._storage.local.storage import LocalStorage


@pytest.fixture
def holder(home: Path) -> Iterator[subprocess.Popen]:
    """Another process that holds the lock on the folder at `home`."""
    process = start(HOLD, home)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def _supported(tmp_path) -> bool:
    fd = fs.create(str(tmp_path / "asked"))
    with fs.closing(fd):
        return fs.set_direct(fd, True)


@pytest.fixture
def past_cache_works(tmp_path_factory):
    if not _supported(tmp_path_factory.mktemp("asked")):
        pytest.skip("this file system writes nothing past its cache")


@pytest.fixture
def beside(home, monkeypatch):
    """A folder as a training uses it, which treats every pack as a large one."""
    monkeypatch.setattr(layout, "LARGE_PACK", 0)
    folder = Repository(LocalStorage(str(home), past_cache=True), "1.2.3")
    yield folder
    folder.close()
