"""`python -m rekindle`, on folders of every kind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from backups import fill, flip

import rekindle
from rekindle._cli import codes, text
from rekindle._cli.main import main


@pytest.fixture
def home(tmp_path):
    return tmp_path / "backup"


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
            "attempts": [],
            "batches": None,
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

    def test_a_model_must_be_given_for_a_file_of_keras_alone(self, home, call):
        code, _, err = call("export", "x.weights.h5")
        assert code == codes.USAGE
        assert "needs the model: give it by --model" in err
        code, _, err = call("export", "x.variables.json", "--model", "nowhere:make")
        assert code == codes.USAGE
        assert "leave it out" in err

    def test_a_checkpoint_that_is_of_no_program_gives_no_variables(self, home, call, tmp_path):
        file = tmp_path / "x.variables.json"
        assert call("export", str(file))[0] == codes.NO_SAVE
        fill(home, 1)
        code, _, err = call("export", str(file))
        assert code == codes.MISMATCH
        assert "ckpt-1" in err
        assert "is not of a program of Synalinks. Nothing was written." in err
        assert not file.exists()


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
