"""`python -m rekindle`, on folders of every kind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_inspection import fill, flip

import rekindle
from rekindle._cli import codes, text
from rekindle._cli.main import main
from rekindle._repository.repository import Repository
from rekindle._storage.local.storage import LocalStorage


@pytest.fixture
def home(tmp_path):
    return tmp_path / "backup"


@pytest.fixture
def call(home, capsys):
    """Runs a command on the folder at `home`. Returns exit code, output and error output."""

    def run(command, *more):
        code = main([command, str(home), *more])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


class TestInfo:
    def test_a_whole_folder(self, home, call):
        fill(home, 2)
        code, out, err = call("info")
        assert (code, err) == (0, "")
        lines = out.splitlines()
        assert lines[0].startswith(f"{home}: 2 checkpoints, ")
        assert lines[1] == "No run has locked the folder."
        header = ["save", "epochs", "batches", "steps", "saved", "at", "age", "size", "shared"]
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
        assert err.startswith("rekindle: The folder")
        assert "Permission denied" in err


def fill_with(folder):
    from test_inspection import a_save

    folder.commit(a_save(1))


class TestVerify:
    def test_it_finds_what_info_does_not_read(self, home, call):
        fill(home, 2)
        assert call("verify")[0] == 0
        flip(home / "ckpt-2.safetensors", -1)
        assert call("info")[0] == 0
        code, out, _ = call("verify")
        assert code == codes.DAMAGED
        assert out.splitlines()[0].startswith("ckpt-1  whole, ")
        assert "ckpt-2  damaged: array" in out

    def test_as_json_each_save_has_its_damage_or_null(self, home, call):
        fill(home, 1)
        flip(home / "ckpt-1.safetensors", -1)
        code, out, _ = call("verify", "--json")
        assert code == codes.LOST
        assert "digest" in json.loads(out)[0]["damage"]

    def test_a_folder_without_saves(self, home, call):
        assert call("verify") == (codes.NO_SAVE, f"There is no checkpoint in {home}.\n", "")


class TestHistory:
    def test_it_is_a_table_of_epochs(self, home, call):
        fill(home, 3)
        code, out, _ = call("history")
        assert code == 0
        rows = [line.split() for line in out.splitlines()]
        assert rows[1:] == [["epoch", "loss"], ["0", "1"], ["1", "0.5"], ["2", "0.3333"]]

    def test_of_an_older_save_as_json(self, home, call):
        fill(home, 3)
        found = json.loads(call("history", "--json", "--save", "2")[1])
        assert found == {
            "save": "ckpt-2",
            "epoch": [0, 1],
            "metrics": {"loss": [1.0, 0.5]},
            "epochs": {"loss": [0, 1]},
        }

    def test_a_metric_stands_at_the_epochs_that_reported_it(self, home, call):
        metrics = {"loss": [4.0, 3.0, 2.0], "val_loss": [9.0, 8.0]}
        history = {"epoch": [0, 1, 2], "metrics": metrics, "epochs": {"val_loss": [0, 2]}}
        fill(home, 1, state={"history": history})
        rows = [line.split() for line in call("history")[1].splitlines()]
        assert rows[2:] == [["0", "4", "9"], ["1", "3", "-"], ["2", "2", "8"]]

    def test_a_save_that_does_not_tell_the_epochs_is_said_to_be_such(self, home, call):
        metrics = {"loss": [4.0, 3.0], "val_loss": [9.0]}
        fill(home, 1, state={"history": {"epoch": [0, 1], "metrics": metrics}})
        lines = call("history")[1].splitlines()
        assert [line.split() for line in lines[2:4]] == [["0", "4", "-"], ["1", "3", "-"]]
        assert "did not record which epochs reported val_loss" in lines[4]

    def test_a_table_that_would_be_far_larger_than_the_save_is_not_written(self, home, call):
        metrics = {f"m{index}": [1.0] for index in range(1500)}
        epochs = {name: [0] for name in metrics}
        tree = {"epoch": list(range(1500)), "metrics": metrics, "epochs": epochs}
        fill(home, 1, state={"history": tree})
        assert "1500 values of 1500 metrics for 1500 epochs" in call("history")[1]

    def test_what_cannot_be_had_has_its_exit_code(self, home, call):
        assert call("history")[0] == codes.NO_SAVE
        fill(home, 2)
        assert call("history", "--save", "9")[0] == codes.FAILED
        assert call("history", "--save", "a/b")[0] == codes.USAGE
        flip(home / "ckpt-2.json")
        assert call("history", "--save", "2")[0] == codes.DAMAGED
        flip(home / "ckpt-1.json")
        assert call("history")[0] == codes.LOST

    def test_a_save_of_another_loop(self, home, call):
        fill(home, 1, state={})
        code, _, err = call("history")
        assert code == codes.MISMATCH
        assert "has no history" in err


class TestExport:
    def test_without_a_save_it_imports_no_keras(self, home, call, tmp_path):
        file = str(tmp_path / "x.weights.h5")
        code, out, _ = call("export", file, "--model", "nowhere:make")
        assert code == codes.NO_SAVE
        assert "Nothing was written." in out

    def test_a_model_must_be_given(self, home, call, capsys):
        with pytest.raises(SystemExit) as caught:
            call("export", "x.weights.h5")
        assert caught.value.code == codes.USAGE
        assert "--model" in capsys.readouterr().err


class TestTheProgram:
    def test_it_runs_as_a_module_and_says_its_version(self):
        done = subprocess.run(
            [sys.executable, "-m", "rekindle", "--version"], capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (0, f"rekindle {rekindle.__version__}\n")

    def test_its_help_lists_every_exit_code(self, capsys):
        with pytest.raises(SystemExit):
            main(["info", "--help"])
        shown = capsys.readouterr().out
        values = [value for name, value in vars(codes).items() if name.isupper() and name != "HELP"]
        for code in filter(lambda value: isinstance(value, int), values):
            assert f"\n  {code}  " in shown

    def test_the_article_has_the_same_exit_codes(self):
        article = Path(__file__).parents[3] / "vignettes" / "rekindle.Rmd"
        if not article.exists():
            pytest.skip("the articles are only in the source checkout")
        rows = re.findall(
            r"^\| (\d) \| (.+) \|$", article.read_text(encoding="utf-8"), re.MULTILINE
        )
        assert rows == re.findall(r"^  (\d)  (.+)$", codes.HELP, re.MULTILINE)

    def test_a_reader_that_stops_reading_is_no_error_message(self, home):
        fill(home, 3)
        code = "import sys; from rekindle._cli.main import main; sys.exit(main(sys.argv[1:]))"
        process = subprocess.Popen(
            [sys.executable, "-c", code, "info", str(home)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait() == codes.FAILED


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_400, "999 kB"),
        (999_600, "1 MB"),
        (12_345_678, "12.3 MB"),
        (3e9, "3 GB"),
        (5e15, "5e+03 TB"),
    ],
)
def test_sizes_in_words(count, shown):
    assert text.size(count) == shown


@pytest.mark.parametrize("shape", [(10**8, 0), (0, 10**8), (2000,)])
def test_a_long_array_among_the_metrics_is_named_and_not_written_out(shape):
    assert text.plain(np.broadcast_to(np.float32(1), shape)) == f"float32 {shape}"
    assert text.plain(np.ones((2, 2))) == [[1.0, 1.0], [1.0, 1.0]]
