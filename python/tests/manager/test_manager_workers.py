"""A checkpoint and its manager with several processes, and with arrays on several devices."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from programs import ENVIRONMENT

import rekindle
from rekindle import Checkpoint, CheckpointManager, _workers

LOOPS = pathlib.Path(__file__).parent / "loops"
ARTICLE = pathlib.Path(__file__).parents[3] / "vignettes" / "custom-loops.Rmd"

# Much longer than any of these tests takes, in seconds. Only a hang may reach it.
PATIENCE = 240


def torchrun(folder, kill=None):
    folder.mkdir(exist_ok=True)
    config = json.dumps({"folder": str(folder), "kill": kill})
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*command, f"--log-dir={folder.parent}", "--nproc_per_node", "2", "ddp.py", config],
        cwd=LOOPS,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode != 0) == (kill is not None), done.stderr
    if kill is not None:
        assert "Signal 9 (SIGKILL)" in done.stderr


def test_ranks_that_are_killed_go_on_together_and_end_as_if_they_were_not(tmp_path):
    never, killed = tmp_path / "never", tmp_path / "killed"
    torchrun(never)
    for rank, step, place in ((1, 6, "in step"), (0, 12, "in save"), (0, 14, "in step")):
        torchrun(killed, {"rank": rank, "step": step, "place": place})
    torchrun(killed)
    for rank in (0, 1):
        assert (killed / f"begun-{rank}.txt").read_text() == "12\n"
        report = f"report-{rank}.json"
        assert (killed / report).read_text() == (never / report).read_text()


def test_the_article_shows_the_loop_that_is_tested():
    _, _, rest = ARTICLE.read_text(encoding="utf-8").partition("```python\n")
    shown, _, _ = rest.partition("```\n")
    assert "broadcast_object_list" in shown
    assert shown.strip() in (LOOPS / "ddp.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("index", [0, 1, None])
def test_a_manager_that_chooses_for_itself_in_another_worker_than_the_first_warns(
    index, tmp_path, monkeypatch
):
    monkeypatch.setattr(_workers, "connected", lambda: _workers.Workers(2, index, "a test"))
    manager = CheckpointManager(Checkpoint(step=0), tmp_path, 3)
    if index == 1:
        with pytest.warns(rekindle.RekindleWarning, match="may resume from different steps"):
            manager.restore_or_initialize()
    else:
        manager.restore_or_initialize()


@pytest.fixture
def alone():
    """A process group with only this process."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


@pytest.fixture
def sharded(alone):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    mesh = init_device_mesh("cpu", (1,))
    return distribute_tensor(torch.arange(4.0), mesh, [Shard(0)])


def test_a_dtensor_is_refused_with_its_name_in_the_tree(sharded, tmp_path):
    module = torch.nn.Linear(4, 1, bias=False)
    module.weight = torch.nn.Parameter(sharded.reshape(1, 4))
    trees = {"a/b": Checkpoint(a={"b": sharded}), "net/weight": Checkpoint(net=module)}
    for place, checkpoint in trees.items():
        with pytest.raises(rekindle.ArgumentError, match="a torch DTensor, of which") as error:
            checkpoint.save(tmp_path / "ckpt")
        assert f"{place}: " in str(error.value)
    assert not list(tmp_path.glob("ckpt*"))


def test_a_restore_into_a_dtensor_is_refused_and_changes_nothing(sharded, tmp_path):
    path = Checkpoint(first=np.arange(3), second=torch.zeros(4)).save(tmp_path / "ckpt")
    first = np.zeros(3, int)
    with pytest.raises(rekindle.ArgumentError, match="second: a torch DTensor"):
        Checkpoint(first=first, second=sharded).restore(path)
    assert not first.any()
    assert sharded.full_tensor().tolist() == [0, 1, 2, 3]


TWO_PROCESSES = """
import os, sys, traceback
import jax, numpy as np
# Not by way of what jax does at the end, which waits for the other process.
sys.excepthook = lambda *error: (traceback.print_exception(*error), os._exit(1))
jax.distributed.initialize(sys.argv[1], num_processes=2, process_id=int(sys.argv[2]))
import rekindle
from jax.sharding import Mesh, NamedSharding, PartitionSpec
mesh = Mesh(np.array(jax.devices()), ("x",))
assert len(jax.devices()) == 2
def make(values, *axes):
    sharding = NamedSharding(mesh, PartitionSpec(*axes))
    return jax.make_array_from_callback((4,), sharding, lambda box: values[box])
array, copied = make(np.arange(4.0), "x"), make(np.arange(4.0))
folder = sys.argv[3]
told = []
if sys.argv[2] == "0":
    # Alone: what waited for the other process would wait for ever.
    path = rekindle.Checkpoint(params={"w": copied}).save(f"{folder}/copied")
back = rekindle.Checkpoint(params={"w": make(np.zeros(4))})
back.restore(f"{folder}/old-1")
assert back.params["w"].sharding == copied.sharding
assert np.asarray(back.params["w"].addressable_data(0)).tolist() == [0, 1, 2, 3]
for work in (
    lambda: rekindle.Checkpoint(params={"w": array}).save(f"{folder}/new{sys.argv[2]}/ckpt"),
    lambda: rekindle.Checkpoint(params={"w": array}).restore(f"{folder}/old-1"),
):
    try:
        work()
    except rekindle.ArgumentError as error:
        told.append(str(error))
print(*told, sep="\\n", file=sys.stderr, flush=True)
# jax may end a process when the other has ended: both go when both have closed their output.
os.close(1)
sys.stdin.read()
os._exit(0)
"""


def test_of_two_jax_processes_copies_are_saved_and_parts_refused_with_their_name(tmp_path):
    Checkpoint(params={"w": np.arange(4, dtype=np.float32)}).save(tmp_path / "old")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{one.getsockname()[1]}"
    stdin, stdout = os.pipe()
    running = [
        subprocess.Popen(
            [sys.executable, "-c", TWO_PROCESSES, address, str(index), str(tmp_path)],
            env=ENVIRONMENT | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""},
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in (0, 1)
    ]
    os.close(stdin)
    os.close(stdout)
    try:
        outputs = [one.communicate(timeout=PATIENCE)[1] for one in running]
    finally:
        for one in running:
            one.kill()
    refused = "params/w: a jax array with parts on devices of other"
    assert [told.count(refused) for told in outputs] == [2, 2], outputs
    assert [one.returncode for one in running] == [0, 0], outputs
    assert not list(tmp_path.glob("new*/ckpt*"))
    assert Checkpoint.read(tmp_path / "copied-1")["params/w"].tolist() == [0, 1, 2, 3]


DEVICES = """
import sys
import jax, numpy as np, rekindle
from jax.sharding import Mesh, NamedSharding, PartitionSpec
assert len(jax.devices()) == 4
mesh = Mesh(np.array(jax.devices()).reshape(2, 2), ("x", "y"))
for axes in ((), ("x",), (None, "y"), ("y", "x")):
    sharding = NamedSharding(mesh, PartitionSpec(*axes))
    array = jax.device_put(np.arange(16.0, dtype="float32").reshape(4, 4), sharding)
    path = rekindle.Checkpoint(w=array).save(f"{sys.argv[1]}/ckpt")
    back = rekindle.Checkpoint(w=jax.device_put(np.zeros((4, 4), "float32"), sharding))
    back.restore(path)
    assert back.w.sharding == sharding
    np.testing.assert_array_equal(back.w, array)
"""


def test_arrays_on_several_devices_of_one_process_are_saved_and_come_back_there(tmp_path):
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DEVICES), str(tmp_path)],
        env=dict(os.environ, **flags),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
