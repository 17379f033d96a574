"""Resumes backups of earlier versions, bit for bit. `python/tests/golden/make.py` made them."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file

GOLDEN = Path(__file__).parents[1] / "golden"


def load_make():
    spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = load_make()


@pytest.fixture(params=sorted(path.name for path in GOLDEN.glob("format-*")))
def golden(request, tmp_path):
    """A copy of the folder, owned by this user: a checkout may belong to another user."""
    found = tmp_path / "backup"
    shutil.copytree(GOLDEN / request.param / keras.backend.backend(), found)
    return found


def arrays_of(folder):
    """The arrays of the newest checkpoint, read by the safetensors library."""
    manifest = json.loads(max(folder.glob("ckpt-*.json")).read_text())
    packs = {path.name: load_file(path) for path in folder.glob("*.safetensors")}
    return {name: packs[row["pack"]][name] for name, row in manifest["arrays"].items()}


def test_the_run_goes_on_where_it_was_killed_with_every_bit_of_its_state(golden):
    expected, found = arrays_of(golden), {}

    def each(batches):
        if not found:
            # Leave the model's own name out: it depends on the number of models made before.
            found["count"] = batches.count
            for variable in batches.model.weights:
                name = variable.path.partition("/")[2]
                found[name] = np.asarray(keras.ops.convert_to_numpy(variable))

    _, backup, batches, stopping, notes = make.fit(golden, each=each, delete_checkpoint=False)
    epoch, batch = make.POSITION
    done, report = epoch * make.BATCHES + batch, backup.resume_report
    assert (report["epoch"], report["batch"], report["step"]) == (epoch, batch, done)
    # The notes may be about other versions of Python, Keras or the backend, and nothing else.
    assert all("results may differ slightly between versions" in note for note in report["notes"])
    assert found["count"] == done
    for name in ("inner/kernel", "inner/bias", "outer/kernel", "outer/bias"):
        assert found[name].tobytes() == expected[f"model/sequential/{name}"].tobytes()
    assert batches.count == len(notes.seen) == make.EPOCHS * make.BATCHES
    assert stopping.best is not None
