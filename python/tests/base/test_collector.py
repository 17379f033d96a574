"""The collector of cycles pauses for a restore, and for nothing else."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import rekindle
from rekindle._base import collector


@pytest.fixture(autouse=True)
def enabled():
    assert gc.isenabled()
    yield
    gc.enable()


def test_it_pauses_and_runs_again_also_after_an_error():
    with collector.paused():
        assert not gc.isenabled()
        with collector.paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(KeyError), collector.paused():
        raise KeyError
    assert gc.isenabled()


def test_it_stays_off_where_the_script_has_turned_it_off():
    gc.disable()
    with collector.paused():
        pass
    assert not gc.isenabled()


def test_it_is_paused_while_a_checkpoint_is_restored(tmp_path):
    seen = []

    class Noting:
        def state_dict(self):
            return {"a": 1}

        def load_state_dict(self, state):
            seen.append(gc.isenabled())

    for _ in range(2):
        checkpoint = rekindle.Checkpoint(noting=Noting(), x=np.zeros(3))
        with rekindle.CheckpointManager(checkpoint, tmp_path / "backup", 3) as manager:
            manager.restore_or_initialize()
            assert gc.isenabled()
            manager.save()
    assert seen == [False]
