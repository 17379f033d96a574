"""`python -m rekindle run` with fit(): five random kills do not change the result."""

from __future__ import annotations

import os
import signal
import sys

import numpy as np
import pytest
from restarts import pid_in, run, started, summary_of, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the supervisor needs POSIX")

SCRIPT = """
import os, random, signal, sys, time
from pathlib import Path

import keras
import numpy as np
from rekindle.keras import BackupAndRestore

home, deaths, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
count = len(list(home.glob("death-*")))
chance = random.Random(1000 * seed + count)


class Death(keras.callbacks.Callback):
    left = chance.randrange(5, 15) if count < deaths else -1

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            (home / f"death-{count}").touch()
            way = chance.choice(("kill", "exit", "abort"))
            if way == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif way == "exit":
                os._exit(1)
            os.abort()

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


keras.utils.set_random_seed(1)
rng = np.random.default_rng(0)
x, y = rng.normal(size=(80, 6)).astype("float32"), rng.normal(size=(80, 1)).astype("float32")
model = keras.Sequential(
    [keras.Input((6,)), keras.layers.Dense(8), keras.layers.Dropout(0.3), keras.layers.Dense(1)]
)
model.compile("adam", "mse")
backup = BackupAndRestore(home / "backup", save_freq=2)
model.fit(x, y, batch_size=4, epochs=4, verbose=0, callbacks=[backup, Death()])
np.savez(home / "weights.npz", *model.get_weights())
"""


def weights(home):
    with np.load(home / "weights.npz") as file:
        return [file[name] for name in file.files]


@pytest.mark.slow
def test_five_deaths_at_random_leave_no_trace_in_the_weights(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    ends = []
    for deaths in (0, 5):
        home = tmp_path / str(deaths)
        home.mkdir()
        options = ("--backoff", "0.05", "--log", home / "log", "--summary", home / "summary")
        done = run(*options, "--", sys.executable, script, home, deaths, 3, timeout=800)
        assert done.returncode == 0, (home / "log").read_text()[-3000:]
        starts = summary_of(home / "summary")["starts"]
        assert len(starts) == deaths + 1
        ends.append({start["status"] for start in starts})
        assert not (home / "backup").exists()
    assert ends[1] > {0}
    straight, carried = weights(tmp_path / "0"), weights(tmp_path / "5")
    assert [one.tobytes() for one in straight] == [one.tobytes() for one in carried]


# After its first step, it waits as long as the file "hold" exists.
PREEMPTED = SCRIPT.replace(
    "        self.left -= 1\n",
    """
        if (home / "hold").exists():
            (home / "pid").write_text(f"{os.getpid()}\\n")
        while (home / "hold").exists() and not (home / f"go-{os.getpid()}").exists():
            time.sleep(0.02)
        self.left -= 1
""",
)


@pytest.mark.slow
def test_a_preempted_training_is_started_at_once_or_not_as_its_sender_wants(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(PREEMPTED)
    homes = [tmp_path / "straight", tmp_path / "preempted"]
    for home in homes:
        home.mkdir()
    straight, home = homes
    assert run("--", sys.executable, script, straight, 0, 0).returncode == 0
    (home / "hold").touch()
    # The backoff is too long for a test. A restart must come at once.
    options = ("--backoff", "1000", "--summary", home / "summary", "--log", home / "log")
    with started(*options, "--", sys.executable, script, home, 0, 0) as supervisor:
        first = pid_in(home / "pid")
        os.kill(first, signal.SIGTERM)
        (home / f"go-{first}").touch()
        second = until(lambda: (found := pid_in(home / "pid")) != first and found)
        supervisor.send_signal(signal.SIGUSR1)
        until(lambda: "passed SIGUSR1 on" in (home / "log").read_text())
        (home / f"go-{second}").touch()
        assert supervisor.wait(600) == 75
    summary = summary_of(home / "summary")
    assert summary["outcome"] == "stopped"
    assert [start["status"] for start in summary["starts"]] == [75, 75]
    assert [start["progress"] for start in summary["starts"]] == [True, True]
    (home / "hold").unlink()
    assert run("--", sys.executable, script, home, 0, 0).returncode == 0
    assert [one.tobytes() for one in weights(straight)] == [one.tobytes() for one in weights(home)]
