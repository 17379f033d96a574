"""`python -m rekindle run`: restarts, giving up, and reports."""

from __future__ import annotations

import re
import sys
from collections import Counter

import numpy as np
import pytest
from restarts import LOOP, python, run, summary_of

import rekindle
from rekindle._cli.main import main

QUICK = ("--backoff", "0.02")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the supervisor needs POSIX")

# Advances by one step, saves, and fails.
STEP_AND_FAIL = """
import sys
import numpy as np
import rekindle
step = np.zeros((), np.int64)
one = rekindle.Checkpoint(step=step)
manager = rekindle.CheckpointManager(one, sys.argv[1], 1, step_counter=step)
manager.restore_or_initialize()
step += 1
if step > 3 and len(sys.argv) > 3:
    step[...] = 0
manager.save()
manager.close()
sys.exit(int(sys.argv[2]))
"""


class TestCarrying:
    @pytest.mark.parametrize("seed", range(4))
    def test_a_script_that_dies_5_times_at_random_ends_as_one_that_never_did(self, seed, tmp_path):
        results = []
        for deaths in (0, 5):
            home = tmp_path / str(deaths)
            home.mkdir()
            done = run(*QUICK, "--summary", home / "summary", *python(LOOP, home, deaths, seed))
            assert done.returncode == 0, done.stderr
            summary = summary_of(home / "summary")
            assert summary["outcome"] == "completed"
            assert len(summary["starts"]) == deaths + 1
            results.append(np.load(home / "weights.npy").tobytes())
        assert results[0] == results[1]

    def test_the_folder_is_told_by_the_command_itself_or_named(self, tmp_path):
        # Without the variable, the program sends no report, like a command inside another wrapper.
        silent = "import os, sys\nos.environ.pop('REKINDLE_RUN_REPORT')\n" + STEP_AND_FAIL
        limit = ("--max-restarts", "5", "--summary", tmp_path / "summary")
        for code, options, starts in (
            (STEP_AND_FAIL, (), 6),
            (silent, (), 4),
            (silent, ("--backup", tmp_path / "c"), 6),
        ):
            home = tmp_path / ("c" if options else str(len(code)))
            run(*QUICK, *limit, *options, *python(code, home, 1))
            assert len(summary_of(tmp_path / "summary")["starts"]) == starts

    def test_saves_from_before_the_first_start_are_no_progress(self, tmp_path):
        step = np.full((), 100)
        one = rekindle.Checkpoint(step=step)
        with rekindle.CheckpointManager(one, tmp_path / "b", 1, step_counter=step) as manager:
            manager.save()
        code = """
        import sys
        import rekindle
        manager = rekindle.CheckpointManager(rekindle.Checkpoint(step=0), sys.argv[1], 1)
        manager.restore_or_initialize()
        sys.exit(1)
        """
        for options in ((), ("--backup", tmp_path / "b")):
            run(*QUICK, *options, "--summary", tmp_path / "s", *python(code, tmp_path / "b"))
            starts = summary_of(tmp_path / "s")["starts"]
            assert [start["progress"] for start in starts] == [False] * 4


class TestGivingUp:
    def test_3_restarts_without_progress_are_the_end_and_the_summary_says_so(self, tmp_path):
        done = run(*QUICK, *python(STEP_AND_FAIL, tmp_path / "b", 9, "stuck"))
        assert done.returncode == 9
        # Three starts make progress, one falls back, and two more stay behind.
        assert "gave up: 3 restarts in a row made no progress" in done.stderr
        rows = re.findall(
            r"rekindle: (\d+) .* exit code 9 +(ckpt-\d+, step \d+) +(.*)", done.stderr
        )
        assert [row[2] for row in rows] == ["further"] * 3 + ["no further"] * 3
        assert {row[1] for row in rows[2:]} == {"ckpt-3, step 3"}
        assert f"The backup is in {tmp_path / 'b'}." in done.stderr

    def test_a_command_without_a_backup_gets_three_more_chances(self, tmp_path):
        done = run(*QUICK, "--summary", tmp_path / "s", "--", "sh", "-c", "exit 5")
        summary = summary_of(tmp_path / "s")
        assert (done.returncode, summary["outcome"], len(summary["starts"])) == (5, "gave_up", 4)
        assert "Name the folder with --backup DIR" in done.stderr

    def test_a_failure_after_the_backup_was_removed_is_not_repeated(self, tmp_path):
        code = """
        import sys
        import rekindle
        manager = rekindle.CheckpointManager(rekindle.Checkpoint(step=0), sys.argv[1], 1)
        manager.save()
        manager.clear()
        sys.exit(1)
        """
        done = run(*QUICK, "--summary", tmp_path / "s", *python(code, tmp_path / "b"))
        summary = summary_of(tmp_path / "s")
        assert (done.returncode, len(summary["starts"])) == (1, 1)
        assert "training was complete" in summary["why"]

    def test_the_limit_of_restarts_holds(self, tmp_path):
        done = run(*QUICK, "--max-restarts", "2", *python(STEP_AND_FAIL, tmp_path / "b", 1))
        assert "gave up: the limit of 2 restarts is reached" in done.stderr
        assert rekindle.latest_checkpoint(tmp_path / "b").endswith("ckpt-3")


class TestPreemptionCode:
    def test_with_progress_it_is_started_at_once_and_not_counted(self, tmp_path):
        code = STEP_AND_FAIL.replace("int(sys.argv[2])", "75 if step < 5 else 0")
        options = ("--backoff", "1000", "--max-restarts", "0", "--summary", tmp_path / "s")
        done = run(*options, *python(code, tmp_path / "b", 0))
        assert done.returncode == 0
        statuses = [start["status"] for start in summary_of(tmp_path / "s")["starts"]]
        assert statuses == [75] * 4 + [0]

    def test_without_progress_it_ends_as_a_failure_does(self, tmp_path):
        done = run(*QUICK, "--", "sh", "-c", "exit 75")
        assert done.returncode == 75
        assert "3 restarts in a row" in done.stderr


class TestStatus:
    @pytest.mark.parametrize(
        ("command", "status"),
        [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill -ABRT $$", 134)],
    )
    def test_it_is_that_of_the_last_start(self, command, status):
        done = run("--max-restarts", "0", "--", "sh", "-c", command)
        assert done.returncode == status

    def test_a_command_that_is_not_there_or_no_program(self, tmp_path):
        (tmp_path / "text").write_text("x")
        assert run("--", tmp_path / "none").returncode == 127
        done = run("--", tmp_path / "text")
        assert done.returncode == 126
        assert "text cannot be started: Permission denied" in done.stderr

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["--"],
            ["--backoff", "-1", "--", "true"],
            ["--backoff", "nan", "--", "true"],
            ["--max-restarts", "x", "--", "true"],
            ["--preempted-code", "0", "--", "true"],
            ["--log", "/nowhere/at/all", "--", "true"],
        ],
    )
    def test_what_is_not_understood_is_2(self, arguments, capsys):
        try:
            code = main(["run", *arguments])
        except SystemExit as end:
            code = end.code
        assert code == 2
        assert "rekindle" in capsys.readouterr().err

    def test_options_after_the_command_are_the_commands(self):
        done = run("sh", "-c", 'echo "$@"', "-", "--log", "x", "--", "--backoff")
        assert done.stdout == "--log x -- --backoff\n"

    def test_the_help_tells_them(self, capsys):
        with pytest.raises(SystemExit):
            main(["run", "--help"])
        told = capsys.readouterr().out
        for status in ("75", "126", "127"):
            assert re.search(rf"^  {status}  ", told, re.MULTILINE)


class TestLog:
    def test_all_output_is_passed_through_and_appended_with_a_header_for_each_start(self, tmp_path):
        log = tmp_path / "log"
        log.write_text("from before, and not ended")
        script = tmp_path / "script"
        script.write_text("echo out; echo err >&2; printf half; exit 4\n")
        done = run(*QUICK, "--max-restarts", "1", "--log", log, "--", "sh", script)
        assert done.stdout == "out\nhalf" * 2
        assert done.stderr.count("err\n") == 2
        kept = log.read_text()
        assert kept.startswith("from before, and not ended")
        header = r"^=== rekindle [-\d]+ [:\d]+: start (\d+): sh "
        headers = re.findall(header, kept, re.MULTILINE)
        assert headers == ["1", "2"]
        assert kept.count("out\n") == kept.count("err\n") == kept.count("half") == 2
        assert len(re.findall(r"^=== rekindle .*: exit code 4 after ", kept, re.MULTILINE)) == 2
        assert re.search(r"^=== rekindle .*: gave up", kept, re.MULTILINE)

    def test_a_python_that_is_killed_has_written_what_it_printed(self, tmp_path):
        code = "import os\nprint('here')\nos.kill(os.getpid(), 9)"
        run("--max-restarts", "0", "--log", tmp_path / "log", *python(code))
        assert "\nhere\n" in (tmp_path / "log").read_text()

    def test_megabytes_pass_whole(self, tmp_path):
        code = (
            "import sys\nfor i in range(200000): print(i, file=sys.stderr if i % 2 else sys.stdout)"
        )
        done = run("--log", tmp_path / "log", *python(code))
        assert done.stdout == "".join(f"{i}\n" for i in range(0, 200000, 2))
        assert "".join(f"{i}\n" for i in range(1, 200000, 2)) in done.stderr
        # In the log, the two outputs are mixed where a pipe was full. No character is missing.
        log = (tmp_path / "log").read_text()
        body = log[log.index("\n") + 1 :]
        expected = Counter("".join(f"{i}\n" for i in range(200000)))
        assert all(Counter(body)[character] >= count for character, count in expected.items())
        assert len(body) < sum(expected.values()) + 1000

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is Linux's")
    def test_a_full_disk_under_the_log_does_not_end_the_command(self, tmp_path):
        done = run("--log", "/dev/full", "--", "sh", "-c", "echo one; echo two")
        assert (done.returncode, done.stdout) == (0, "one\ntwo\n")
        assert done.stderr.count("the log cannot be written any more: No space left") == 1

    def test_without_it_the_command_has_the_supervisors_own_output(self):
        done = run("--", "sh", "-c", "readlink /proc/self/fd/1 /proc/$PPID/fd/1")
        if done.returncode == 0:
            assert len(set(done.stdout.split())) == 1


def test_a_left_over_variable_makes_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("REKINDLE_RUN_REPORT", str(tmp_path / "gone"))
    with rekindle.CheckpointManager(rekindle.Checkpoint(step=0), tmp_path / "b", 1) as manager:
        manager.save()
    assert not (tmp_path / "gone").exists()
