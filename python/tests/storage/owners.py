"""A backup with one value, restored by this user or refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import rekindle

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives files to other users"
)
OTHER = 54321


def manager(folder, value=0.0):
    return rekindle.CheckpointManager(
        rekindle.Checkpoint(x=np.array([value])), str(folder), max_to_keep=1
    )


def refused(folder):
    reading = manager(folder)
    before = {path: path.read_bytes() for path in Path(folder).rglob("*")}
    with pytest.raises(rekindle.ForeignFileError) as caught:
        reading.restore_or_initialize()
    reading.close()
    assert reading.checkpoint.x.tolist() == [0.0]
    assert {path: path.read_bytes() for path in Path(folder).rglob("*")} == before
    return caught.value


def restores(folder):
    with manager(folder) as reading:
        reading.restore_or_initialize()
        return reading.checkpoint.x.tolist() == [7.0]
