"""Special files under rekindle's names: rekindle does not wait for them and follows no link."""

from __future__ import annotations

import contextlib
import os
import socket
import sys

import numpy as np
import pytest

import rekindle
from rekindle import inspection
from rekindle.errors import RekindleError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")

NAMES = ["ckpt-2.json", "ckpt-2.safetensors", "checkpoint", ".lock", "takeover.json"]


def link(path):
    """A link to a copy of the file, outside the folder."""
    elsewhere = path.parent.parent / "elsewhere"
    elsewhere.write_bytes(path.read_bytes() if path.exists() else b"{}")
    path.unlink(missing_ok=True)
    path.symlink_to(elsewhere)


def fifo(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def folder(path):
    path.unlink(missing_ok=True)
    path.mkdir()


def bound(path):
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as one:
        here = os.getcwd()
        os.chdir(path.parent)  # the path of a socket must be short
        one.bind(path.name)
        os.chdir(here)


def device(path):
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


KINDS = [link, fifo, folder, bound, device]


@pytest.fixture
def home(tmp_path):
    made = tmp_path / "backup"
    checkpoint = rekindle.Checkpoint(w=np.zeros(3))
    with rekindle.CheckpointManager(checkpoint, made, 2) as manager:
        manager.save()
        checkpoint.w[:] = 1.0
        manager.save()
    return made


def train(home):
    with rekindle.CheckpointManager(rekindle.Checkpoint(w=np.ones(3)), home, 2) as manager:
        manager.restore_or_initialize()
        manager.save()
        manager.clear()


USES = {
    "info": inspection.info,
    "verify": inspection.verify,
    "arrays": inspection.arrays,
    "values": inspection.values,
    "history": inspection.history,
    "latest": rekindle.latest_checkpoint,
    "read": lambda home: rekindle.Checkpoint.read(home / "ckpt-2"),
    "manager": train,
    "delete": inspection.delete,
}


@pytest.mark.filterwarnings("ignore::rekindle.RekindleWarning")
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_refused_or_passed_over_and_never_waited_for(home, kind, name, use):
    path = home / name
    kind(path)
    elsewhere = home.parent / "elsewhere"
    before = elsewhere.read_bytes() if elsewhere.exists() else None
    with contextlib.suppress(RekindleError):
        USES[use](home)
    if before is not None:
        assert elsewhere.read_bytes() == before
