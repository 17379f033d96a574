"""A fit() whose backup is in an object store: killed and resumed, it is the run never killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import forks
import keras
import numpy as np
import pytest
from proxy import Proxy
from servers import S3Server

import rekindle
from rekindle import inspection

NO_KILL = "the callback Kill is no longer in the list, so its state was not used"
SCRIPT = Path(__file__).with_name("store_run.py")


@pytest.fixture(scope="module")
def s3():
    with S3Server() as server:
        yield server


def weights(path):
    with np.load(path) as found:
        return [found[name].tobytes() for name in found.files]


def test_a_killed_run_resumes_from_the_store_exactly_and_proves_it(s3, tmp_path):
    url, options = f"{s3.url}/run 7", json.dumps(s3.options)
    killed = tmp_path / "killed.npz"
    status, _, error = forks.run(SCRIPT, url, killed, options, 3)
    assert status == -signal.SIGKILL, error
    assert not killed.exists()
    # A new process, on the same host: it does not wait for the lock of the killed one.
    command = [sys.executable, "-W", "ignore", SCRIPT, url, tmp_path / "resumed.npz", options]
    resumed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert resumed.returncode == 0, resumed.stderr
    report = json.loads(resumed.stdout)
    assert report["evidence"] == "verified"
    assert set(report["notes"]) <= {NO_KILL}
    assert report["compared"]["losses"] >= 1
    status, _, error = forks.run(SCRIPT, tmp_path / "backup", tmp_path / "straight.npz", "{}")
    assert status == 0, error
    assert weights(tmp_path / "resumed.npz") == weights(tmp_path / "straight.npz")
    names = sorted(s3.objects("run 7"))
    assert sum(name.endswith(".json") for name in names) == 1
    assert s3.uploads() == []


def test_the_store_can_be_looked_at_and_cleared(s3, monkeypatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    url = f"{s3.url}/looked/at"
    callback = rekindle.keras.BackupAndRestore(url, delete_checkpoint=False)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=2, verbose=0, callbacks=[callback])
    found = inspection.info(url)
    assert (found.directory, found.saves[-1].epoch, found.held) == (url, 2, False)
    assert inspection.verify(url)[-1].damage is None
    assert inspection.history(url).metrics["loss"]
    assert rekindle.latest_checkpoint(url) == f"{url}/{found.saves[-1].name}"
    inspection.restore_weights(model, url)
    assert [now.state for now in inspection.watch(url, 0.1)] == ["finished"]
    inspection.delete(url)
    assert s3.objects("looked/at") == {}
    assert inspection.info(url).state == "missing"


@pytest.mark.filterwarnings("ignore::rekindle.InexactWarning")
def test_training_does_not_wait_for_a_store_that_is_away(s3):
    with Proxy(s3.endpoint) as proxy:
        options = s3.options_at(proxy.endpoint)
        options["retry_config"] = {"max_retries": 0}
        url = f"{s3.url}/away"
        callback = rekindle.keras.BackupAndRestore(
            url, delete_checkpoint=False, storage_options=options
        )

        class Cut(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 2:
                    proxy.cut()
                if epoch == 4:
                    proxy.mend()

        model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        with pytest.warns(rekindle.SaveWarning, match="cannot be reached"):
            model.fit(
                np.ones((8, 2)), np.ones((8, 1)), epochs=6, verbose=0, callbacks=[callback, Cut()]
            )
        found = inspection.info(url, storage_options=options)
    assert found.saves[-1].epoch == 6
