"""`python -m rekindle run`: it passes signals on, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from restarts import command, is_alive, pid_in, python, run, started, summary_of, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the supervisor needs POSIX")

# Records each signal, in itself and in a worker. On SIGTERM it ends with the preempted code.
LISTENER = """
import os, signal, sys, time
from pathlib import Path
home = Path(sys.argv[1])
worker = os.fork() == 0
name = "worker" if worker else "main"
def note(number, frame):
    with open(home / f"{name}-signals", "a") as file:
        file.write(f"{signal.Signals(number).name}\\n")
    if number == signal.SIGTERM:
        time.sleep(0 if worker else 0.3)
        os._exit(75)
for one in ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"):
    signal.signal(getattr(signal, one), note)
(home / f"{name}-pid").write_text(f"{os.getpid()}\\n")
while True:
    time.sleep(0.05)
"""

# Reacts only to SIGKILL, and has a worker that does the same.
STUBBORN = """
import os, signal, sys, time
from pathlib import Path
for one in ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"):
    signal.signal(getattr(signal, one), signal.SIG_IGN)
name = "worker" if os.fork() == 0 else "main"
(Path(sys.argv[1]) / f"{name}-pid").write_text(f"{os.getpid()}\\n")
while True:
    time.sleep(1)
"""


def both(home):
    return pid_in(home / "main-pid"), pid_in(home / "worker-pid")


def signals(home, name):
    return text_in(home / f"{name}-signals").split()


def text_in(path):
    return path.read_text() if path.exists() else ""


class TestPassingOn:
    def test_each_signal_reaches_every_process_exactly_once(self, tmp_path):
        sent = ["SIGUSR1", "SIGUSR2", "SIGUSR1", "SIGTERM"]
        with started("--summary", tmp_path / "s", *python(LISTENER, tmp_path)) as supervisor:
            both(tmp_path)
            for count, name in enumerate(sent, 1):
                supervisor.send_signal(getattr(signal, name))
                until(lambda count=count: len(signals(tmp_path, "main")) >= count)
                if name != "SIGTERM":
                    until(lambda count=count: len(signals(tmp_path, "worker")) >= count)
            assert supervisor.wait(600) == 75
        assert signals(tmp_path, "main") == sent
        assert signals(tmp_path, "worker") == sent
        summary = summary_of(tmp_path / "s")
        assert (summary["outcome"], len(summary["starts"])) == ("stopped", 1)

    @pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
    def test_the_other_two_end_it_as_well(self, name, tmp_path):
        code = "import time\nopen(__import__('sys').argv[1], 'w').write('1\\n')\ntime.sleep(60)"
        with started(*python(code, tmp_path / "pid")) as supervisor:
            pid_in(tmp_path / "pid")
            supervisor.send_signal(getattr(signal, name))
            assert supervisor.wait(600) == (130 if name == "SIGINT" else 129)

    @pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
    def test_what_a_shell_script_had_started_is_waited_for(self, name, tmp_path):
        # The signal ends the shell at once. The training below the shell is still saving.
        code = """
        import signal, sys, time
        def save(number, frame):
            time.sleep(3)
            open(sys.argv[1] + "/saved", "w").close()
            sys.exit(75)
        signal.signal(signal.SIGTERM, save)
        signal.signal(signal.SIGUSR1, save)
        open(sys.argv[1] + "/pid", "w").write("1\\n")
        time.sleep(600)
        """
        script = tmp_path / "train.py"
        script.write_text("\n".join(line[8:] for line in code.splitlines()))
        shell = f"{sys.executable} {script} {tmp_path}; true"
        with started("--", "sh", "-c", shell) as supervisor:
            pid_in(tmp_path / "pid")
            supervisor.send_signal(getattr(signal, name))
            assert supervisor.wait(600) == 128 + getattr(signal, name)
        assert (tmp_path / "saved").exists()

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl() is Linux's")
    def test_as_the_first_process_of_a_container_it_buries_what_comes_to_it(self, tmp_path):
        # Otherwise its zombies would count as running, and the supervisor would wait forever.
        inherit = "import ctypes, os, sys\nctypes.CDLL(None).prctl(36, 1, 0, 0, 0)\n"
        start = f"{inherit}os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
        shell = f"(sleep 1; exit 0) & echo 1 > {tmp_path / 'pid'}; exec sleep 60"
        inner = ["-m", "rekindle", "run", "--", "sh", "-c", f"trap '' TERM; {shell}"]
        supervisor = subprocess.Popen([sys.executable, "-c", start, *inner])
        pid_in(tmp_path / "pid")
        leader = until(
            lambda: [pid for pid in children(supervisor.pid) if "sleep" in name_of(pid)]
        )[0]
        supervisor.send_signal(signal.SIGTERM)
        os.kill(leader, signal.SIGKILL)
        assert supervisor.wait(600) == 137

    def test_a_second_one_kills(self, tmp_path):
        log = tmp_path / "log"
        with started("--log", log, *python(STUBBORN, tmp_path), same=0.0) as supervisor:
            pids = both(tmp_path)
            supervisor.send_signal(signal.SIGTERM)
            until(lambda: "passed SIGTERM on" in text_in(log))
            supervisor.send_signal(signal.SIGINT)
            assert supervisor.wait(600) == 137
        assert not any(map(is_alive, pids))

    def test_a_second_one_at_once_may_well_be_the_same_sent_to_the_group(self, tmp_path):
        log = tmp_path / "log"
        with started("--log", log, *python(STUBBORN, tmp_path), same=1e9) as supervisor:
            pids = both(tmp_path)
            supervisor.send_signal(signal.SIGTERM)
            until(lambda: "passed SIGTERM on" in text_in(log))
            supervisor.send_signal(signal.SIGTERM)
            supervisor.send_signal(signal.SIGUSR1)
            until(lambda: "passed SIGUSR1 on" in text_in(log))
            supervisor.send_signal(signal.SIGUSR1)
            until(lambda: text_in(log).count("passed SIGUSR1 on") == 2)
            assert "killed" not in text_in(log)
            assert all(map(is_alive, pids))

    def test_one_between_two_starts_ends_it_with_the_preempted_code(self, tmp_path):
        with started("--backoff", "1000", "--log", tmp_path / "log", "--", "false") as supervisor:
            until(lambda: "follows in" in text_in(tmp_path / "log"))
            supervisor.send_signal(signal.SIGTERM)
            assert supervisor.wait(600) == 75

    def test_what_nohup_ignores_stays_ignored(self, tmp_path):
        ignore = "import os, signal, sys\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        start = f"{ignore}os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
        code = "print(__import__('signal').getsignal(1).name)"
        inner = ["-m", "rekindle", "run", *python(code)]
        done = subprocess.run(
            [sys.executable, "-c", start, *inner], capture_output=True, text=True, timeout=600
        )
        assert done.stdout == "SIG_IGN\n"


class TestNoOrphan:
    def test_when_the_supervisor_is_ended_by_sigterm(self, tmp_path):
        with started(*python(LISTENER, tmp_path)) as supervisor:
            pids = both(tmp_path)
            supervisor.terminate()
            assert supervisor.wait(600) == 75
            assert not any(map(is_alive, pids))

    @pytest.mark.parametrize("log", [False, True])
    def test_when_the_supervisor_is_killed(self, log, tmp_path):
        options = ("--log", tmp_path / "log") if log else ()
        (tmp_path / "tmp").mkdir()
        environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
        with started(*options, *python(STUBBORN, tmp_path), env=environment) as supervisor:
            pids = both(tmp_path)
            assert os.listdir(tmp_path / "tmp")
            supervisor.kill()
            until(lambda: not any(map(is_alive, pids)))
            until(lambda: not os.listdir(tmp_path / "tmp"))

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks into /proc")
    def test_when_supervisor_and_guard_are_killed_the_command_goes_too(self, tmp_path):
        with started(*python(STUBBORN, tmp_path)) as supervisor:
            main, worker = both(tmp_path)
            guards = [pid for pid in children(supervisor.pid) if pid != main]
            assert len(guards) == 1
            os.kill(guards[0], signal.SIGKILL)
            supervisor.kill()
            until(lambda: not is_alive(main))
            os.kill(worker, signal.SIGKILL)

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks into /proc")
    def test_the_guard_ends_with_the_runner(self, tmp_path):
        for end in (signal.SIGTERM, signal.SIGKILL):
            home = tmp_path / str(end)
            home.mkdir()
            with started(*python(LISTENER, home)) as supervisor:
                both(home)
                family = children(supervisor.pid)
                assert len(family) == 2
                supervisor.send_signal(end)
                until(lambda family=family: not any(map(is_alive, family)))

    def test_what_a_start_left_running_is_ended_before_the_next(self, tmp_path):
        # The worker outlives its parent, and would keep memory and files that the next start needs.
        code = """
        import os, signal, sys, time
        from pathlib import Path
        home = Path(sys.argv[1])
        old = sorted(home.glob("worker-*"))
        for path in old:
            try:
                os.kill(int(path.read_text()), 0)
                (home / "orphan").touch()
            except ProcessLookupError:
                pass
        worker = os.fork()
        if worker == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        (home / f"worker-{len(old)}").write_text(str(worker))
        os.kill(os.getpid(), signal.SIGKILL)
        """
        run("--backoff", "0", "--max-restarts", "1", *python(code, tmp_path))
        workers = sorted(tmp_path.glob("worker-*"))
        assert len(workers) == 2
        assert not (tmp_path / "orphan").exists()
        assert not any(is_alive(int(path.read_text())) for path in workers)

    def test_with_its_parent_when_that_is_asked_for(self, tmp_path):
        inner = command("--end-with-parent", *python(LISTENER, tmp_path))
        code = "import subprocess, sys\nsubprocess.run(sys.argv[1:])"
        parent = subprocess.Popen([sys.executable, "-c", code, *inner])
        pids = both(tmp_path)
        parent.kill()
        parent.wait()
        until(lambda: not any(map(is_alive, pids)))
        assert signals(tmp_path, "main") == ["SIGTERM"]


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(one) for one in file.read().split()]


def name_of(pid):
    with open(f"/proc/{pid}/comm", encoding="ascii") as file:
        return file.read()
