"""fit() in one of several processes is refused in each process, before it touches a folder."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest
from small_fit import fit, make_model
from workers.fit import REFUSED

import rekindle
from rekindle import _workers, inspection
from rekindle.keras import BackupAndRestore

FIT = Path(__file__).parent / "workers" / "fit.py"
BACKEND = keras.backend.backend()

# Much longer than any of these tests takes, in seconds. Only a hang may reach it.
PATIENCE = 240


def addresses(count=2):
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]


def outcomes(*commands, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
    """Exit code and standard error of processes that run at the same time."""
    env = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    running = [
        subprocess.Popen(
            command, env=env, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, text=True
        )
        for command in commands
    ]
    for end in {stdin, stdout} - {subprocess.DEVNULL}:
        os.close(end)
    try:
        return [(one.communicate(timeout=PATIENCE)[1], one.returncode) for one in running]
    finally:
        for one in running:
            one.kill()


def two_processes(folders, how):
    both = addresses()
    # Both share one pipe: its reader sees the end when both have closed their output.
    stdin, stdout = os.pipe()
    return outcomes(
        *(
            [sys.executable, str(FIT), str(folder), how, str(index), *both]
            for index, folder in enumerate(folders)
        ),
        stdin=stdin,
        stdout=stdout,
    )


@pytest.mark.skipif(BACKEND not in ("jax", "tensorflow"), reason="torch has torchrun")
@pytest.mark.parametrize("own_folders", [False, True])
def test_both_of_two_processes_are_refused_whatever_their_folders(tmp_path, own_folders):
    folders = [tmp_path / (f"backup-{index}" if own_folders else "backup") for index in (0, 1)]
    source = {"jax": "jax.distributed", "tensorflow": "its tf.distribute strategy"}[BACKEND]
    for index, (told, code) in enumerate(two_processes(folders, BACKEND)):
        assert code == REFUSED, told
        assert (
            f"this process is number {index} (from 0) of 2 workers, according to {source}." in told
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(BACKEND != "torch", reason="is of torch")
@pytest.mark.parametrize("how", ["torch", "nobody"])
def test_ranks_of_torchrun_are_refused_connected_or_not(tmp_path, tmp_path_factory, how):
    logs = tmp_path_factory.mktemp("logs")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--log-dir={logs}"]
    [(told, code)] = outcomes(
        [*torchrun, "--nproc_per_node", "2", str(FIT), str(tmp_path / "backup"), how]
    )
    assert code != 0
    source = "torch.distributed" if how == "torch" else "the environment variable WORLD_SIZE"
    # torchrun ends the other process as soon as one process has ended.
    assert f"(from 0) of 2 workers, according to {source}." in told
    assert f"exitcode  : {REFUSED}" in told
    assert list(tmp_path.iterdir()) == []


SEVERAL = {
    "torchrun": {"WORLD_SIZE": "2", "RANK": "1"},
    "keras": {"KERAS_DISTRIBUTION_NUM_PROCESSES": "2", "KERAS_DISTRIBUTION_PROCESS_ID": "1"},
    "workers": {"TF_CONFIG": '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"index": 1}}'},
    "chief": {
        "TF_CONFIG": '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"index": 1}}'
    },
    "parameter server": {
        "TF_CONFIG": '{"cluster": {"chief": ["a:1"], "ps": ["b:1"]}, "task": {"index": 1}}'
    },
}


@pytest.mark.parametrize("variables", SEVERAL.values(), ids=SEVERAL)
def test_an_environment_of_several_workers_is_refused(variables, backup_dir, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    model = make_model()
    told = "number 1 .* of 2 workers, according to the env"
    with pytest.raises(rekindle.ArgumentError, match=told) as e:
        fit(model, BackupAndRestore(backup_dir))
    assert "give each process a backup_dir of its own" in str(e.value)
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 0
    assert not backup_dir.exists()


ALONE = {
    "one": {"WORLD_SIZE": "1", "RANK": "0"},
    "no rank": {"WORLD_SIZE": "2"},
    "no number": {"WORLD_SIZE": "two", "RANK": "0"},
    "a job of several tasks": {"SLURM_NTASKS": "4"},
    "an evaluator": {"TF_CONFIG": '{"cluster": {"chief": ["a:1"], "evaluator": ["b:1"]}}'},
    "nothing": {"TF_CONFIG": ""},
    "no object": {"TF_CONFIG": "[1]"},
    "no cluster": {"TF_CONFIG": '{"cluster": null, "task": null}'},
}


@pytest.mark.parametrize("variables", ALONE.values(), ids=ALONE)
def test_what_speaks_of_one_worker_is_no_reason_to_refuse(variables, backup_dir, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    fit(make_model(), BackupAndRestore(backup_dir, delete_checkpoint=False), epochs=1)
    assert (backup_dir / "ckpt-1.json").exists()


@pytest.mark.parametrize(("workers", "refused"), [(["a:1", "b:1"], True), (["a:1"], False)])
def test_a_strategy_counts_by_its_cluster(workers, refused, monkeypatch):
    spec = SimpleNamespace(as_dict=lambda: {"worker": workers})
    resolver = SimpleNamespace(cluster_spec=lambda: spec, task_id=0)
    model = SimpleNamespace(distribute_strategy=SimpleNamespace(cluster_resolver=resolver))
    monkeypatch.setitem(sys.modules, "tensorflow", sys.modules.get("tensorflow", object()))
    raises = pytest.raises(rekindle.ArgumentError, match="of 2 workers, according to its tf")
    with raises if refused else contextlib.nullcontext() as caught:
        _workers.refuse_several(model)
    if refused:
        assert "Keras 3 itself fails under a strategy of several workers" in str(caught.value)


def of_keras_2(module):
    base = type("Model", (), {"__module__": module})
    return type("Classifier", (base,), {"__module__": "mine"})()


@pytest.mark.parametrize(
    "module", ["tf_keras.src.engine.training", "keras.src.engine.training", "keras.engine.training"]
)
def test_a_model_of_keras_2_is_refused_by_name(module, backup_dir):
    model = of_keras_2(module)
    uses = (
        lambda: BackupAndRestore(backup_dir).set_model(model),
        lambda: inspection.restore_weights(model, backup_dir),
        lambda: inspection.export_weights(backup_dir, "a.weights.h5", model),
    )
    for use in uses:
        with pytest.raises(
            rekindle.ArgumentError, match="This is for Keras 3, and it received"
        ) as e:
            use()
        assert f"a 'Classifier' of {module}" in str(e.value)
        assert e.value.argument == "model"


def test_a_callback_list_of_keras_2_is_refused(backup_dir):
    # Keras asks this first, in whatever order it sets the model.
    with pytest.raises(rekindle.ArgumentError, match="This is for Keras 3"):
        BackupAndRestore(backup_dir)._implements_train_batch_hooks()


DEVICES = """
import json, os, sys
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"
import jax, keras, numpy as np
from rekindle.keras import BackupAndRestore

folder, kind, last = sys.argv[1], sys.argv[2], int(sys.argv[3])
keras.utils.set_random_seed(3)
devices = keras.distribution.list_devices("cpu")
if kind == "data":
    distribution = keras.distribution.DataParallel(devices=devices)
else:
    mesh = keras.distribution.DeviceMesh((2, 2), ["batch", "model"], devices)
    layout = keras.distribution.LayoutMap(mesh)
    layout[".*dense.*kernel"] = (None, "model")
    distribution = keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch")
keras.distribution.set_distribution(distribution)
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(8, name="dense")])
model.compile("adam", "mse")
kernel = model.layers[0].kernel.value
assert len(kernel.sharding.device_set) == 4
assert kernel.sharding.is_fully_replicated == (kind == "data")


class Kill(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == last:
            os._exit(9)


x = np.random.RandomState(0).normal(size=(16, 4)).astype("float32")
callback = BackupAndRestore(folder, delete_checkpoint=False)
model.fit(x, x @ np.ones((4, 8), "float32"), epochs=4, batch_size=8, verbose=0,
          callbacks=[callback, Kill()])
print(json.dumps([np.asarray(v.value).tolist() for v in model.variables]))
"""


@pytest.mark.skipif(BACKEND != "jax", reason="is of jax")
@pytest.mark.parametrize("kind", ["data", "model"])
def test_several_devices_of_one_process_are_saved_and_resumed_exactly(kind, tmp_path):
    def run(folder, last=-1):
        return subprocess.run(
            [sys.executable, "-c", DEVICES, str(tmp_path / folder), kind, str(last)],
            env=dict(os.environ, JAX_PLATFORMS="cpu"),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    killed = run("killed", last=2)
    assert killed.returncode == 9, killed.stderr
    resumed, never = run("killed"), run("never")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout) == json.loads(never.stdout)
