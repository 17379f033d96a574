"""`python -m rekindle watch` and `report`: lines, pages, exit codes."""

from __future__ import annotations

import json
import sys
import time

import pytest
from backups import fill
from pulses import THEN, pulse, write

from rekindle._cli import codes
from rekindle._storage.resolve import resolve


@pytest.fixture
def home(tmp_path):
    return tmp_path / "backup"


class TestWatch:
    """`watch`"""

    def test_of_a_run_that_has_ended_it_says_how(self, home, call):
        fill(home, 2)
        code, out, err = call("watch")
        assert (code, err) == (codes.FAILED, "")
        first, last = out.splitlines()
        assert first.startswith("epoch 3, batch 0 · ckpt-2, ")
        assert last.startswith("No process has locked the folder any more: epoch 3, batch 0.")

    def test_a_run_that_has_finished_is_success(self, home, call):
        fill(home, 2)
        write(home, pulse(5, 0, 0.0, state="complete"))
        code, out, _ = call("watch")
        assert (code, out.splitlines()[-1]) == (0, "The run has finished: all 5 epochs done.")

    def test_as_json_each_look_is_a_line(self, home, call):
        fill(home, 2)
        code, out, _ = call("watch", "--json")
        (row,) = map(json.loads, out.splitlines())
        assert (row["state"], row["epoch"], row["checkpoint"]) == ("ended", 2, "ckpt-2")
        assert row["line"][0] == "epoch 3, batch 0"
        assert code == codes.FAILED

    def test_it_waits_for_a_run_and_ctrl_c_ends_it(self, home, call, monkeypatch):
        naps = []

        def sleep(seconds):
            naps.append(seconds)
            if len(naps) == 3:
                raise KeyboardInterrupt

        monkeypatch.setattr(time, "sleep", sleep)
        code, out, err = call("watch", "--every", "0.25")
        assert (code, err, naps) == (130, "", [0.25] * 3)
        assert out == f"waiting for a run to begin in {home} · Ctrl-C ends watch\n"
        assert not home.exists()

    def test_without_a_terminal_there_is_a_line_for_each_change(self, home, call, monkeypatch):
        storage = resolve(str(home))
        storage.hold()
        naps = []

        def sleep(_):
            naps.append(1)
            if len(naps) in (2, 4):
                now = time.time() - THEN
                write(home, pulse(0, len(naps), now, loss=None))
            if len(naps) == 6:
                storage.release()

        monkeypatch.setattr(time, "sleep", sleep)
        code, out, _ = call("watch")
        assert (code, len(naps)) == (codes.FAILED, 6)
        assert [line.partition(" · ")[0] for line in out.splitlines()[:4]] == [
            "started, and has not trained yet",
            "epoch 1 of 5, batch 2 of 10",
            "epoch 1 of 5, batch 4 of 10",
            # The last look: no process has the lock.
            "epoch 1 of 5, batch 4 of 10",
        ]

    def test_on_a_terminal_it_is_one_line_that_fits(self, home, call, monkeypatch):
        fill(home, 2)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", "30")
        monkeypatch.setenv("TERM", "xterm")
        shown = call("watch")[1].split("\n")[0]
        assert shown.startswith("\repoch 3, batch 0")
        assert shown.endswith("...\x1b[K")
        assert len(shown) == 1 + 29 + 3

    def test_a_page_is_written_beside_it(self, home, call, tmp_path):
        fill(home, 2)
        file = tmp_path / "live.html"
        call("watch", "--page", str(file))
        assert "Ended" in file.read_text(encoding="utf-8")
        assert call("watch", "--page", str(home / "live.html"))[0] == codes.USAGE

    @pytest.mark.parametrize("every", ["0", "-1", "often", "nan", "inf"])
    def test_every_is_a_number_of_seconds(self, home, call, every, capsys):
        with pytest.raises(SystemExit) as caught:
            call("watch", "--every", every)
        assert caught.value.code == codes.USAGE
        assert "must be a number of seconds above 0" in capsys.readouterr().err

    def test_a_folder_that_could_not_be_made_is_an_error(self, home, call):
        home.parent.rmdir()
        code, out, err = call("watch")
        assert (code, out) == (codes.USAGE, "")
        assert "could make it in" in err


class TestReport:
    """`report`"""

    def test_it_writes_the_file_and_says_so(self, home, call, tmp_path):
        fill(home, 2)
        file = tmp_path / "report.html"
        assert call("report", str(file)) == (0, f"Wrote the report {file}.\n", "")
        assert json.loads(call("report", str(file), "--json")[1]) == {"file": str(file)}
        assert file.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")

    def test_what_cannot_be_had_has_its_exit_code(self, home, call, tmp_path):
        file = tmp_path / "report.html"
        assert call("report", str(file))[0] == codes.NO_SAVE
        fill(home, 1)
        assert call("report", str(tmp_path / "report.txt"))[0] == codes.USAGE
        assert call("report", str(tmp_path / "no" / "report.html"))[0] == codes.FAILED
        file.write_text("mine")
        assert call("report", str(file))[0] == codes.IN_THE_WAY
        assert file.read_text() == "mine"
