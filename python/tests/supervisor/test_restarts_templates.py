"""The templates for Slurm and systemd, tested as far as possible without Slurm and systemd.

tests/testthat/test-templates.R tests the template for Kubernetes.
"""

from __future__ import annotations

import configparser
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from restarts import until

TEMPLATES = Path(__file__).parents[3] / "inst" / "templates"

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="these schedulers are POSIX's"),
    pytest.mark.skipif(not TEMPLATES.is_dir(), reason="the templates come with the R package"),
]

# Replaces `Rscript train.R`: five steps with a save after each. On a signal, it ends with 75.
TRAIN = """
import os, signal, sys, time
import numpy as np
import rekindle

step = np.zeros((), np.int64)
one = rekindle.Checkpoint(step=step)
manager = rekindle.CheckpointManager(one, "backup", 1, step_counter=step)
manager.restore_or_initialize()
asked = []
for name in ("SIGTERM", "SIGUSR1"):
    signal.signal(getattr(signal, name), lambda number, frame: asked.append(number))
with open("starts", "a") as file:
    file.write(f"{int(step)}\\n")

while step < 5:
    step += 1
    manager.save()
    if step == 2 and not os.path.exists("crashed"):
        open("crashed", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    while step == 4 and os.path.exists("hold") and not asked:
        time.sleep(0.02)
    if asked:
        sys.exit(75)
"""


@pytest.fixture
def job(tmp_path):
    """Starts the template's job in a folder with stand-ins for the cluster's programs."""
    programs = tmp_path / "bin"
    programs.mkdir()

    def stand_in(name, line):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)

    (tmp_path / "train.py").write_text(TRAIN)
    stand_in("python", f'exec {sys.executable} "$@"')
    stand_in("Rscript", f"exec {sys.executable} train.py")
    stand_in("scontrol", 'echo "$*" >> requeued')
    script = (TEMPLATES / "slurm.sh").read_text()
    # The ten seconds between two starts are too long for a test.
    (tmp_path / "job.sh").write_text(script.replace("rekindle run", "rekindle run --backoff 0"))
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "42",
    }
    begun = []

    def start():
        job = subprocess.Popen(["bash", "job.sh"], cwd=tmp_path, env=environment)
        begun.append(job)
        return job

    yield start
    for one in begun:
        one.kill()
        one.wait()


@pytest.mark.skipif(shutil.which("bash") is None, reason="the template is bash's")
class TestSlurm:
    def test_a_crash_is_mended_in_the_job_and_the_time_limit_by_another(self, job, tmp_path):
        (tmp_path / "hold").touch()
        first = job()
        until(lambda: (tmp_path / "starts").exists() and step_of(tmp_path) == 4)
        assert not (tmp_path / "requeued").exists()
        first.send_signal(signal.SIGUSR1)
        assert first.wait(600) == 75
        assert (tmp_path / "requeued").read_text() == "requeue 42\n"
        (tmp_path / "hold").unlink()
        assert job().wait(600) == 0
        # The starts: from nothing, after the crash in step 2, and after the time limit in step 4.
        assert (tmp_path / "starts").read_text().split() == ["0", "2", "4"]
        assert (tmp_path / "requeued").read_text() == "requeue 42\n"

    def test_ended_by_the_user_it_saves_and_is_not_requeued(self, job, tmp_path):
        (tmp_path / "hold").touch()
        first = job()
        until(lambda: (tmp_path / "starts").exists() and step_of(tmp_path) == 4)
        first.send_signal(signal.SIGTERM)
        assert first.wait(600) == 75
        assert not (tmp_path / "requeued").exists()

    def test_an_error_of_its_own_is_the_jobs(self, job, tmp_path):
        (tmp_path / "train.py").write_text("import sys\nsys.exit(9)")
        assert job().wait(600) == 9
        assert not (tmp_path / "requeued").exists()

    @pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
    def test_it_is_clean_shell(self):
        subprocess.run(["shellcheck", TEMPLATES / "slurm.sh"], check=True)


def step_of(home):
    import rekindle.inspection

    saves = rekindle.inspection.info(home / "backup").saves
    return saves[-1].step if saves else 0


class TestSystemd:
    def unit(self):
        found = configparser.ConfigParser(interpolation=None, strict=True)
        found.optionxform = str
        found.read(TEMPLATES / "rekindle-train.service")
        return found

    def test_what_the_supervisor_relies_on_is_there(self):
        service = self.unit()["Service"]
        # If systemd sent a signal to the whole group, it would arrive twice: the supervisor passes
        # it on.
        assert service["KillMode"] == "mixed"
        # Otherwise, one process that runs out of memory ends all of them.
        assert service["OOMPolicy"] == "continue"
        assert service["SuccessExitStatus"] == "75"
        assert service["Restart"] == "on-failure"

    def test_what_it_starts_is_understood(self):
        from rekindle._cli.main import parser

        words = self.unit()["Service"]["ExecStart"].split()
        given = parser().parse_args(words[words.index("rekindle") + 1 :])
        assert given.command_line[-2:] == ["/usr/bin/Rscript", "train.R"]

    @pytest.mark.skipif(
        shutil.which("systemd-analyze") is None or not os.path.exists("/usr/bin/Rscript"),
        reason="systemd-analyze or what the unit starts is not installed",
    )
    def test_systemd_has_nothing_against_it(self):
        done = subprocess.run(
            ["systemd-analyze", "verify", TEMPLATES / "rekindle-train.service"],
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
