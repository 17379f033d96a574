"""Data-parallel training on PyTorch with several processes, as in the article on loops.

torchrun runs it, with a configuration as JSON: the folder, and the place and rank of the kill.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import signal
import sys

import numpy as np
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import rekindle
from rekindle._storage.local import fs

STEPS = 20

config = json.loads(sys.argv[1])
home = pathlib.Path(config["folder"])
folder = home / "ckpts"
kill = config["kill"] or {}


def die_at(place, step):
    mine = kill.get("rank") == dist.get_rank()
    if mine and (kill["place"], kill["step"]) == (place, step):
        os.kill(os.getpid(), signal.SIGKILL)


def die_in_save(old, new, rename=fs.rename):
    die_at("in save", checkpoint.step)
    rename(old, new)


def train_step(model, optimizer, step, rank):
    """All random draws depend only on step and rank, so that no rank has a state to save."""
    rng = np.random.default_rng([step, rank])
    x = torch.from_numpy(rng.normal(size=(8, 4)).astype("float32"))
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(x), x.sum(1, keepdim=True))
    loss.backward()
    die_at("in step", step)
    optimizer.step()


def digest(value):
    if isinstance(value, dict):
        return {str(key): digest(one) for key, one in value.items()}
    if isinstance(value, torch.Tensor):
        return hashlib.sha256(value.numpy().tobytes()).hexdigest()
    return repr(value)


fs.rename = die_in_save

dist.init_process_group("gloo")
rank = dist.get_rank()

torch.manual_seed(1)
network = torch.nn.Sequential(
    torch.nn.Linear(4, 16), torch.nn.BatchNorm1d(16), torch.nn.Linear(16, 1)
)
model = DistributedDataParallel(network)
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
checkpoint = rekindle.Checkpoint(model=model, optimizer=optimizer, step=0)

# One process saves, and tells all processes which checkpoint to restore.
manager = rekindle.CheckpointManager(checkpoint, folder, max_to_keep=2) if rank == 0 else None
latest = [manager.latest_checkpoint if manager else None]
dist.broadcast_object_list(latest, src=0)
checkpoint.restore(latest[0])
begun = checkpoint.step

while checkpoint.step < STEPS:
    train_step(model, optimizer, checkpoint.step, rank)
    checkpoint.step += 1
    if manager and checkpoint.step % 4 == 0:
        manager.save()
dist.barrier()

with (home / f"begun-{rank}.txt").open("a") as file:
    file.write(f"{begun}\n")
slots = optimizer.state_dict()["state"]
text = json.dumps(digest({"weights": dict(network.state_dict()), "optimizer": slots}))
(home / f"report-{rank}.json").write_text(text)
dist.destroy_process_group()
