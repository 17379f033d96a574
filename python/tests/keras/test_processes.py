"""Runs killed by SIGKILL and resumed by another process: the same bits."""

from __future__ import annotations

import hashlib
import json
import signal

import pytest
from safetensors.numpy import load_file
from small_fit import run_scenario


def stored(folder):
    """The newest checkpoint, read without rekindle: its manifest and its arrays' digests."""
    manifests = [json.loads(path.read_bytes()) for path in folder.glob("backup/ckpt-*.json")]
    newest = max(manifests, key=lambda manifest: manifest["serial"])
    packs = {name: load_file(folder / "backup" / name) for name in newest["packs"]}
    return newest, {
        name: hashlib.sha256(packs[row["pack"]][name].tobytes()).hexdigest()[:16]
        for name, row in newest["arrays"].items()
    }


def newest_epoch(folder):
    """The epoch of the newest checkpoint, or 0 if there is none yet."""
    return stored(folder)[0]["epoch"] if list(folder.glob("backup/ckpt-*.json")) else 0


def report(folder):
    return json.loads((folder / "report.json").read_text())


@pytest.fixture(scope="module")
def never(tmp_path_factory):
    folder = tmp_path_factory.mktemp("never")
    assert run_scenario(folder) == 0
    return report(folder)


@pytest.mark.parametrize("background", [False, True], ids=["at once", "in the background"])
@pytest.mark.parametrize(
    ("save_freq", "kills"),
    [
        ("epoch", [["begin", 2, 4]]),
        ("epoch", [["validation", 1], ["begin", 2, 0], ["begin", 3, 9]]),
    ],
)
def test_a_run_killed_between_saves_ends_as_if_it_was_not(
    tmp_path, never, save_freq, kills, background
):
    how = {"save_freq": save_freq, "background": background}
    for kill in kills:
        assert run_scenario(tmp_path, kill=kill, **how) == -signal.SIGKILL
        done = kill[1]
        if background:
            # Right after a save, the kill may come before that checkpoint is durable. The one
            # before is durable.
            assert newest_epoch(tmp_path) in (done, done - 1)
        else:
            manifest, _ = stored(tmp_path)
            assert (manifest["epoch"], manifest["batch"]) == (done, 0)
            assert manifest["step"] == done * 11
    assert run_scenario(tmp_path, **how) == 0
    assert report(tmp_path) == never


def test_a_run_killed_five_times_in_a_row_ends_as_if_it_was_not(tmp_path):
    assert run_scenario(tmp_path / "never", save_freq=1) == 0
    kills = (["begin", 0, 5], ["begin", 1, 7], ["epoch_end", 1], ["end", 2, 10], ["begin", 3, 1])
    for kill in kills:
        assert run_scenario(tmp_path / "killed", save_freq=1, kill=kill) == -signal.SIGKILL
    assert run_scenario(tmp_path / "killed", save_freq=1) == 0
    assert report(tmp_path / "killed") == report(tmp_path / "never")


@pytest.mark.parametrize(
    ("source", "save_freq", "at"),
    [
        ("PyDataset", 4, ["begin", 2, 4]),
        ("generator", 4, ["begin", 2, 4]),
        # The save is after the last batch of an epoch, and only the data knows where the epoch
        # ends.
        ("tf.data, unknown length", 1, ["begin", 1, 0]),
    ],
)
def test_every_kind_of_data_goes_on_where_it_was(tmp_path, source, save_freq, at):
    """A few cells of the table. `make exact` prints the whole table."""
    for folder, kill in (("never", None), ("killed", at), ("killed", None)):
        status = run_scenario(tmp_path / folder, source=source, save_freq=save_freq, kill=kill)
        assert status == (-signal.SIGKILL if kill else 0)
    assert report(tmp_path / "killed") == report(tmp_path / "never")


@pytest.mark.parametrize("background", [False, True], ids=["at once", "in the background"])
@pytest.mark.parametrize("save_freq", ["epoch", 4])
def test_a_new_process_begins_with_every_bit_of_the_save(tmp_path, save_freq, background):
    """The next run resumes from the state that a reader without rekindle finds in the folder."""
    how = {"save_freq": save_freq, "background": background}
    assert run_scenario(tmp_path, kill=["begin", 3, 9], **how) == -signal.SIGKILL
    manifest, saved = stored(tmp_path)
    position = (manifest["epoch"], manifest["step"])
    expected = [(2, 22), (3, 33)] if save_freq == "epoch" else [(3, 36), (3, 40)]
    assert position in expected if background else position == expected[-1]
    witness = tmp_path / "witness.json"
    assert run_scenario(tmp_path, witness=str(witness), **how) == 0
    begun = json.loads(witness.read_text())
    assert begun["epoch"] == manifest["epoch"]
    assert len(begun["variables"]) > 20
    assert begun["variables"] == {name: saved[name] for name in begun["variables"]}
    line = json.loads((tmp_path / "resumed.jsonl").read_text())
    assert (line["epoch"], line["step"]) == (manifest["epoch"], manifest["step"])
