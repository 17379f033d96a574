"""`python -m rekindle info`: its text, its JSON and its exit codes."""

from __future__ import annotations

import json

import pytest
from backups import a_save, fill, flip

from rekindle._cli import codes
from rekindle._repository.repository import Repository
from rekindle._storage.local.storage import LocalStorage


@pytest.fixture
def home(tmp_path):
    return tmp_path / "backup"


class TestInfo:
    def test_a_whole_folder(self, home, call):
        fill(home, 2)
        code, out, err = call("info")
        assert (code, err) == (0, "")
        lines = out.splitlines()
        assert lines[0].startswith(f"{home}: 2 checkpoints, ")
        assert lines[1] == "No run has locked the folder."
        header = [
            "checkpoint",
            "epochs",
            "batches",
            "steps",
            "saved",
            "at",
            "age",
            "size",
            "shared",
        ]
        assert lines[3].split() == header
        assert lines[5].split()[:4] == ["ckpt-2", "2", "0", "7"]
        assert lines[5].endswith("whole")
        assert lines[-1] == "Metrics of ckpt-2: loss 0.5."

    @pytest.mark.parametrize(
        ("schedule", "expected"),
        [
            (
                {"save_freq": "time", "interval": 600.0},
                "The run saves every 10 min.",
            ),
            (
                {"save_freq": "auto", "max_overhead": 0.035, "mean_time_between_failures": None}
                | {"interval": 3.27, "reason": "max_overhead", "duration": 0.2}
                | {"stall": 0.1, "interference": 0.004, "step": 0.01},
                "The run saves every 3.27 s, as often as the limit on the overhead allows: a save"
                " stalls training for 0.1 s and slows the steps after it by 4 ms in total; a step"
                " takes 0.01 s.",
            ),
            (
                {"save_freq": "auto", "max_overhead": 0.035, "mean_time_between_failures": 9.0},
                "The run was still measuring how much a save costs, to choose how often to save.",
            ),
            # Forged values.
            (
                {"interval": "often"},
                "The run was still measuring how much a save costs, to choose how often",
            ),
            ({"interval": 60, "stall": [], "reason": {}}, "The run saves every 60 s."),
        ],
    )
    def test_how_often_the_run_saves(self, home, call, schedule, expected):
        fill(home, 2, state={"schedule": schedule})
        code, out, err = call("info")
        assert (code, err) == (0, "")
        assert out.splitlines()[-1].startswith(expected)

    @pytest.mark.parametrize(
        ("evidence", "expected"),
        [
            (
                {"number": 4, "evidence": "verified", "batches": 12, "losses": 1, "epochs": 0},
                "had resumed from checkpoint 4: 12 batches and 1 loss equal those of the",
            ),
            (
                {"number": None, "evidence": "unverified"},
                "from a backup of Keras' own callback: the interrupted run left nothing",
            ),
            (
                {"number": 4, "evidence": "changed"},
                "the set-up was changed, so another result is expected",
            ),
            ({"number": 4, "evidence": "differs"}, "what it saw differs from what the interrupted"),
            (
                {"number": 4, "evidence": ["verified"], "batches": {}},
                "nothing is known about how exactly",
            ),
            ({"evidence": "verified", "batches": "9", "losses": -1}, ": nothing equal those of"),
        ],
    )
    def test_what_was_seen_since_the_run_resumed(self, home, call, evidence, expected):
        fill(home, 2, state={"evidence": evidence})
        _, told, _ = call("info")
        assert told.splitlines()[-1].startswith("The run of ckpt-2 had resumed from ")
        assert expected in told

    @pytest.mark.parametrize("evidence", [None, [], 5, "verified", {}])
    def test_without_evidence_nothing_is_said_of_it(self, home, call, evidence):
        fill(home, 2, state={"evidence": evidence})
        _, told, _ = call("info")
        assert "had resumed" not in told

    @pytest.mark.parametrize("schedule", [None, [], 5, "auto", {}])
    def test_without_a_rhythm_nothing_is_said_of_it(self, home, call, schedule):
        fill(home, 2, state={"schedule": schedule})
        code, out, _ = call("info")
        assert code == 0
        assert "The run" not in out

    def test_a_running_folder(self, home, call):
        folder = Repository(LocalStorage(str(home)), "1")
        folder.open()
        code, out, _ = call("info")
        assert code == codes.NO_SAVE
        assert "A run has locked the folder: process " in out
        assert "There is no checkpoint yet." in out
        fill_with(folder)
        code, out, _ = call("info")
        folder.close()
        assert code == 0
        assert "A run has locked the folder: process " in out
        assert "ckpt-1" in out

    def test_a_folder_that_a_run_on_another_host_has_used(self, home, call):
        fill(home, 1)
        text_of_lock = (home / ".lock").read_text()
        row = json.loads(text_of_lock) | {"host": "elsewhere", "pid": 4242}
        (home / ".lock").write_text(json.dumps(row, separators=(",", ":")).ljust(511) + "\n")
        code, out, _ = call("info")
        assert code == 0
        assert (
            "whether a run has locked the folder. The last one was process 4242 on 'elsewhere'"
            in out
        )

    def test_a_damaged_folder(self, home, call):
        fill(home, 2)
        flip(home / "ckpt-2.safetensors", 20)
        code, out, _ = call("info")
        assert code == codes.DAMAGED
        assert "ckpt-2 is damaged: the header of the pack" in out
        assert "The next run resumes from ckpt-1." in out

    def test_a_folder_in_which_nothing_is_whole(self, home, call):
        fill(home, 1)
        flip(home / "ckpt-1.json")
        code, out, _ = call("info")
        assert code == codes.LOST
        assert "No checkpoint is whole, so no run can resume from this folder." in out

    def test_an_empty_folder(self, home, call):
        home.mkdir()
        code, out, _ = call("info")
        assert code == codes.NO_SAVE
        assert out.splitlines() == [
            f"{home}: 0 checkpoints, 0 B",
            "No run has locked the folder.",
            "There is no checkpoint.",
        ]

    def test_a_missing_folder(self, home, call):
        assert call("info") == (codes.NO_SAVE, f"There is no folder {home}.\n", "")

    def test_a_foreign_folder(self, home, call):
        home.mkdir()
        (home / "notes.txt").write_text("mine")
        code, out, _ = call("info")
        assert code == codes.NO_SAVE
        assert "files that rekindle did not write: notes.txt." in out

    def test_a_folder_of_keras(self, home, call):
        home.mkdir()
        (home / "latest.weights.h5").write_bytes(b"x")
        (home / "training_metadata.json").write_text("{}")
        assert "a backup of Keras' own BackupAndRestore" in call("info")[1]

    def test_a_folder_of_keras_2(self, home, call):
        (home / "chief").mkdir(parents=True)
        for name in ("ckpt-5.index", "ckpt-5.data-00000-of-00001"):
            (home / "chief" / name).write_bytes(b"x")
        assert "a backup of the BackupAndRestore of Keras 2" in call("info")[1]

    def test_as_json_it_has_every_field(self, home, call):
        fill(home, 2)
        code, out, _ = call("info", "--json")
        found = json.loads(out)
        assert code == 0
        assert found["state"] == "whole"
        assert found["saves"][1]["metrics"] == {"loss": 0.5}
        assert found["holder"] is None

    def test_a_file_that_is_refused_is_an_error_of_its_own(self, home, call, monkeypatch):
        fill(home, 1)

        def refuse(*_):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("rekindle._storage.local.fs.names_in", refuse)
        code, out, err = call("info")
        assert (code, out) == (codes.FAILED, "")
        assert err.startswith("rekindle: The backup")
        assert "Permission denied" in err


def fill_with(folder):

    folder.commit(a_save(1))
