"""Restores checkpoints that earlier versions wrote. `python/tests/golden/make.py` made them."""

from __future__ import annotations

import importlib.util
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from rekindle import Checkpoint, CheckpointManager, FormatError, latest_checkpoint
from rekindle._saving import metadata

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(params=sorted(path.name for path in GOLDEN.glob("format-*")))
def golden(request, tmp_path):
    found = tmp_path / "ckpts"
    shutil.copytree(GOLDEN / request.param / "manager", found)
    return str(found)


@pytest.fixture
def make():
    spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_object_comes_back_and_the_rules_go_on(golden, make):
    live = make.objects(9)
    manager = CheckpointManager(live, golden, 2, keep_best=("loss", "min", 1))
    assert manager.restore_or_initialize() == latest_checkpoint(golden) == f"{golden}/ckpt-5"
    assert (live.step, live.save_counter) == (5, 5)
    assert live.weights.tobytes() == np.full((2, 3), 5, np.float32).tobytes()
    expected = np.random.default_rng(0)
    for _ in range(5):
        expected.random()
    assert live.rng.random() == expected.random()
    assert live.tree == {"list": [0, 2.5, "text", None, True], "empty": {}, "bytes": b"\0\xff"}
    assert (live.sets, live.big, live.scalar) == ({0, 1, 2}, 2**70, 0.0)
    assert math.isnan(live.nan)
    assert [Path(path).name for path in manager.checkpoints] == ["ckpt-2", "ckpt-4", "ckpt-5"]
    assert manager.metadata(f"{golden}/ckpt-2") == {"loss": 1.0}
    manager.save(with_metadata={"loss": 0.5})
    assert [Path(path).name for path in manager.checkpoints] == ["ckpt-5", "ckpt-6"]
    manager.close()


def test_a_state_of_a_later_version_is_refused_and_nothing_is_changed(tmp_path, monkeypatch):
    home = str(tmp_path / "ckpts")
    newer = metadata.STATE_VERSION + 1
    with monkeypatch.context() as later:
        later.setattr(metadata, "versioned", lambda state: {**state, "state_version": newer})
        with CheckpointManager(Checkpoint(step=5), home, 1) as manager:
            path = manager.save()
    live = Checkpoint(step=1)
    manager = CheckpointManager(live, home, 1)
    with pytest.raises(FormatError, match=f"whose state has version {newer}") as caught:
        manager.restore_or_initialize()
    manager.close()
    assert caught.value.format == newer
    with pytest.raises(FormatError, match="Update rekindle"):
        live.restore(path)
    assert (live.step, live.save_counter) == (1, 0)
    with (
        CheckpointManager(Checkpoint(step=2), home, 1) as other,
        pytest.raises(FormatError, match="Update rekindle"),
    ):
        other.save()
    assert [path.name for path in (tmp_path / "ckpts").glob("*.json")] == ["ckpt-1.json"]
