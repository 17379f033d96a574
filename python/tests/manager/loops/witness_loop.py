"""A loop that reports its steps to the manager. It kills itself, or prints the resume report.

Arguments: the folder, the framework, the step of the kill (0 for none), and whether the place in
the data is in the checkpoint.
"""

from __future__ import annotations

import json
import os
import signal
import sys

import numpy as np

import rekindle

folder, framework, kill, keeps_data = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "1"
STEPS, EVERY = 24, 10

if framework == "jax":
    import jax.numpy

    as_array = jax.numpy.asarray
elif framework == "torch":
    import torch

    def as_array(value):
        return torch.tensor(value, requires_grad=value.ndim == 0)

else:
    as_array = np.asarray

rng = np.random.default_rng(5)
parts = {"rng": rng} if keeps_data else {}
checkpoint = rekindle.Checkpoint(w=np.zeros(4), step=0, **parts)
with rekindle.CheckpointManager(checkpoint, folder, max_to_keep=2) as manager:
    manager.restore_or_initialize()
    while checkpoint.step < STEPS:
        x = rng.normal(size=(8, 4))
        error = x @ checkpoint.w - x.sum(1)
        checkpoint.w -= 0.05 * x.T @ error / len(x)
        checkpoint.step += 1
        loss = as_array(np.float64((error**2).mean()))
        manager.witness(checkpoint.step, batch={"x": as_array(x)}, loss=loss)
        if checkpoint.step == kill:
            os.kill(os.getpid(), signal.SIGKILL)
        if checkpoint.step % EVERY == 0:
            manager.save()
print(json.dumps(manager.resume_report))
