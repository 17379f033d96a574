"""`python -m rekindle run`: signals and the exit status pass, whatever happens to its output."""

from __future__ import annotations

import array
import fcntl
import itertools
import os
import subprocess
import sys
import termios

import pytest
from restarts import command, pid_in, python, run, started, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the supervisor needs POSIX")

# Writes to standard output (1) or error (2), and then waits. On SIGTERM it ends with the preempted
# code. 16 MiB are more than any pipe holds; without a limit it would fill the disk when the tests
# are killed.
WRITER = """
import os, signal, sys
def end(number, frame):
    open(sys.argv[1] + "/got", "w").close()
    os._exit(75)
signal.signal(signal.SIGTERM, end)
open(sys.argv[1] + "/pid", "w").write(f"{os.getpid()}\\n")
while True:
    os.write(int(sys.argv[2]), b"x" * 1023 + b"\\n")
"""


# So much is in a pipe that is full, or soon will be. A pipe has 64 KiB in pages, which the system
# does not always fill: how much fits depends on the sizes of the writes, and they on the scheduler.
FILLING = 16384


def waiting_in(pipe) -> int:
    """The number of bytes in the pipe that are not read yet."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


class TestStandingStill:
    """The pipe is full: its reader exists, but reads nothing."""

    @pytest.mark.parametrize(("log", "fd"), [(True, 1), (True, 2), (False, 2)])
    def test_a_signal_reaches_the_command_and_its_exit_status_the_caller(self, log, fd, tmp_path):
        options = ("--log", tmp_path / "log") if log else ()
        with started(*options, *python(WRITER, tmp_path, fd)) as supervisor:
            until(
                lambda: waiting_in(supervisor.stdout if fd == 1 else supervisor.stderr) >= FILLING
            )
            supervisor.terminate()
            assert supervisor.wait(600) == 75
        assert (tmp_path / "got").exists()

    def test_a_second_one_kills_the_command(self, tmp_path):
        code = WRITER.replace("SIGTERM, end", "SIGTERM, signal.SIG_IGN")
        log = tmp_path / "log"
        with started("--log", log, *python(code, tmp_path, 1), same=0.0) as supervisor:
            until(lambda: waiting_in(supervisor.stdout) >= FILLING)
            supervisor.terminate()
            until(lambda: "passed SIGTERM on" in text_in(log))
            supervisor.terminate()
            assert supervisor.wait(600) == 137

    def test_after_the_command_has_ended_a_signal_ends_the_wait_for_the_reader(self, tmp_path):
        code = "import os\nfor i in range(200): os.write(1, b'x' * 1024)"
        with started("--log", tmp_path / "log", *python(code)) as supervisor:
            until(lambda: "exit code 0 after" in text_in(tmp_path / "log"))
            assert waiting_in(supervisor.stdout) >= FILLING
            assert supervisor.poll() is None
            supervisor.terminate()
            assert supervisor.wait(600) == 0
        assert text_in(tmp_path / "log").count("x") >= 200 * 1024

    def test_a_reader_that_goes_on_gets_everything(self, tmp_path):
        code = "import os\nfor i in range(3000): os.write(1, b'%1023d\\n' % i)"
        with started("--log", tmp_path / "log", *python(code)) as supervisor:
            until(lambda: waiting_in(supervisor.stdout) >= FILLING)
            out, _ = supervisor.communicate(timeout=600)
        assert out == "".join(f"{i:1023}\n" for i in range(3000))


def text_in(path):
    return path.read_text() if path.exists() else ""


CLOSED = [
    closed
    for count in range(4)
    for closed in itertools.combinations(("0<&-", "1>&-", "2>&-"), count)
]


class TestClosedStreams:
    @pytest.mark.parametrize("closed", CLOSED, ids=" ".join)
    @pytest.mark.parametrize("log", [True, False])
    def test_the_command_is_run_and_its_exit_status_passed_on(self, log, closed, tmp_path):
        options = ("--log", tmp_path / "log") if log else ()
        inner = command(
            *options, "--max-restarts", "0", "--", "sh", "-c", "echo out; echo err >&2; exit 3"
        )
        shell = f'exec "$@" {" ".join(closed)}'
        done = subprocess.run(
            ["sh", "-c", shell, "-", *inner], capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 3
        assert done.stdout == ("" if "1>&-" in closed else "out\n")
        assert ("err\n" in done.stderr) == ("2>&-" not in closed)
        if log:
            assert text_in(tmp_path / "log").split("\n").count("out") == 1
            assert text_in(tmp_path / "log").split("\n").count("err") == 1

    def test_a_signal_reaches_the_command(self, tmp_path):
        inner = command("--log", tmp_path / "log", *python(WRITER, tmp_path, 1))
        supervisor = subprocess.Popen(["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "-", *inner])
        pid_in(tmp_path / "pid")
        supervisor.terminate()
        assert supervisor.wait(600) == 75
        assert (tmp_path / "got").exists()

    def test_the_other_commands_answer_as_well(self, tmp_path):
        inner = [sys.executable, "-m", "rekindle", "info", str(tmp_path)]
        done = subprocess.run(["sh", "-c", 'exec "$@" 1>&- 2>&-', "-", *inner], timeout=600)
        open_too = subprocess.run(inner, capture_output=True, timeout=600)
        assert done.returncode == open_too.returncode


class TestLog:
    def test_a_fifo_that_no_process_reads_is_refused(self, tmp_path):
        os.mkfifo(tmp_path / "fifo")
        done = run("--log", tmp_path / "fifo", "--", "true")
        assert done.returncode == 2
        assert "it is a FIFO that no process reads" in done.stderr

    def test_a_fifo_that_is_read_gets_it(self, tmp_path):
        os.mkfifo(tmp_path / "fifo")
        reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
        assert run("--log", tmp_path / "fifo", "--", "echo", "out").returncode == 0
        assert b"\nout\n" in os.read(reader, 65536)
        os.close(reader)

    def test_a_fifo_whose_reader_goes_away_does_not_end_the_command(self, tmp_path):
        os.mkfifo(tmp_path / "fifo")
        reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
        code = """
        import sys, time
        from pathlib import Path
        (Path(sys.argv[1]) / "pid").write_text("1\\n")
        while not (Path(sys.argv[1]) / "closed").exists():
            time.sleep(0.02)
        print("out")
        """
        with started("--log", tmp_path / "fifo", *python(code, tmp_path)) as supervisor:
            pid_in(tmp_path / "pid")
            os.close(reader)
            (tmp_path / "closed").touch()
            out, error = supervisor.communicate(timeout=600)
        assert (supervisor.returncode, out) == (0, "out\n")
        assert "the log cannot be written any more: Broken pipe" in error

    def test_a_fifo_whose_reader_stands_still_holds_no_signal_up(self, tmp_path):
        os.mkfifo(tmp_path / "fifo")
        reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
        inner = command("--log", tmp_path / "fifo", *python(WRITER, tmp_path, 1))
        supervisor = subprocess.Popen(inner, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: waiting_in(reader) >= FILLING)
        supervisor.terminate()
        assert supervisor.wait(600) == 75
        os.close(reader)

    def test_a_folder_is_refused(self, tmp_path):
        done = run("--log", tmp_path, "--", "true")
        assert done.returncode == 2
        assert "Is a directory" in done.stderr

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
    def test_a_file_that_may_not_be_written_is_refused(self, tmp_path):
        (tmp_path / "log").touch(0o444)
        done = run("--log", tmp_path / "log", "--", "true")
        assert done.returncode == 2
        assert "Permission denied" in done.stderr

    @pytest.mark.parametrize(("device", "count"), [("/dev/null", 1), ("/dev/stdout", 2)])
    def test_a_device_will_do(self, device, count):
        done = run("--log", device, "--", "echo", "out")
        assert done.returncode == 0
        assert done.stdout.split("\n").count("out") == count

    def test_a_summary_for_a_fifo_that_no_process_reads_is_left_out(self, tmp_path):
        os.mkfifo(tmp_path / "fifo")
        done = run(
            "--max-restarts", "0", "--summary", tmp_path / "fifo", "--", "sh", "-c", "exit 3"
        )
        assert done.returncode == 3
        assert "cannot be written: it is a FIFO that no process reads" in done.stderr
