"""A script that calls fit() several times with one folder, killed in a later call."""

from __future__ import annotations

import json
import os
import signal

import forks
import pytest

SCRIPT = """
import json, os, signal, sys, warnings
import keras, numpy as np
import rekindle

kill, on_mismatch, separate, folder = json.loads(sys.argv[1])
warnings.simplefilter("error", rekindle.RekindleWarning)
if on_mismatch == "warn":
    warnings.simplefilter("always", rekindle.RekindleWarning)

class Kill(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        if [call, batch] == kill:
            os.kill(os.getpid(), signal.SIGKILL)

from rekindle.keras import BackupAndRestore

keras.utils.set_random_seed(1)
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dropout(0.5),
                          keras.layers.Dense(1)])
model.compile("adam", "mse")
x = np.random.RandomState(0).normal(size=(20, 3)).astype("float32")
for call in range(3):
    where = os.path.join(folder, str(call)) if separate else folder
    backup = BackupAndRestore(where, save_freq=2, background=False, on_mismatch=on_mismatch,
                              delete_checkpoint=not separate)
    try:
        model.fit(x, x[:, :1], batch_size=4, verbose=0, callbacks=[backup, Kill()])
    except rekindle.MismatchError as error:
        print(json.dumps([str(error), error.differences]))
        sys.exit(3)
    if call == 0 and backup.resume_report is not None:
        first = backup.resume_report
        print(json.dumps([first["exact"], first["evidence"], first["notes"]]))
print(json.dumps([np.array(v).tobytes().hex() for v in model.variables]))
"""


@pytest.fixture
def start(tmp_path):
    def start(kill=None, on_mismatch="error", *, separate=False, name="killed"):
        config = json.dumps([kill, on_mismatch, separate, str(tmp_path / name)])
        status, out, errors = forks.run_code(SCRIPT, config)
        if kill is not None:
            assert status == -signal.SIGKILL, errors
            return None
        assert status in (0, 3), errors
        return status, [json.loads(line) for line in out.splitlines()]

    return start


def test_the_first_call_refuses_the_backup_of_the_third(start, tmp_path):
    # Each call left the folder empty at its end. Nothing but the count tells the calls apart.
    start([2, 4])
    before = sorted(os.listdir(tmp_path / "killed"))
    status, [[message, differences]] = start()
    assert status == 3
    assert "2 calls of fit() with this folder had ended before, and in this process 0" in message
    assert "give each call a backup folder of its own" in message
    assert differences == ["calls of fit() before: expected 0, found 2 in the backup"]
    assert sorted(os.listdir(tmp_path / "killed")) == before
    # As for every set-up that was changed on purpose.
    status, [[exact, evidence, notes], _] = start(on_mismatch="warn")
    assert (status, exact, evidence) == (0, False, "changed")
    assert "the backup is of a later call of fit()" in notes[0]


def test_calls_with_a_folder_each_end_as_if_they_were_never_killed(start):
    never = start(separate=True, name="never")
    start([0, 3], separate=True)
    start([2, 4], separate=True)
    assert start(separate=True)[1][-1] == never[1][-1]
