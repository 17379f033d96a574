"""Resumes backups of earlier versions, bit for bit. `python/tests/golden/make.py` made them."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import every_kind
import forks
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


def run(script, folder, *more):
    status, out, errors = forks.run(Path(__file__).with_name(script), folder, *more)
    assert status == 0, errors
    return json.loads(out)


def resumed(script, version, folder, *more):
    """What a script has in the end that resumes the golden folder of a version of the state."""
    golden = GOLDEN / f"state-{version}" / keras.backend.backend()
    shutil.copytree(golden, folder / "backup")
    return run(script, folder, *more)


def test_state_of_the_second_version_comes_back_from_layers_data_and_callbacks(tmp_path):
    found = resumed("own_state_run.py", 2, tmp_path)
    (tmp_path / "never").mkdir()
    never = run("own_state_run.py", tmp_path / "never")
    # The rest depends on the arithmetic of the machine.
    assert (found["level"], found["next"]) == (never["level"], never["next"])
    assert found["exact"] is True
    assert [len(row) for row in found["history"].values()] == [5] * 4


@pytest.fixture(scope="module")
def every_kind_found(tmp_path_factory):
    return resumed("every_kind_run.py", 3, tmp_path_factory.mktemp("state"), "elsewhere")


@pytest.mark.parametrize("place", ["callback", "data", "model", "extra"])
def test_values_of_every_kind_come_back_from_the_third_version(every_kind_found, place):
    expected = every_kind.made()
    for epoch in range(4):
        every_kind.change(expected, epoch, dicts=place != "model")
    left_out = every_kind.DICTS if place == "model" else ()
    expected = {name: value for name, value in expected.items() if name not in left_out}
    assert every_kind_found[place] == every_kind.told(expected)
    assert (every_kind_found["exact"], every_kind_found["log"]) == (True, [0, 1, 2, 3])
