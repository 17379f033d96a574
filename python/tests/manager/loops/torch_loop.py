"""A network with noise, Adam and a schedule, in plain PyTorch."""

from __future__ import annotations

import numpy as np
import torch
from common import STEPS, Loop, batch

import rekindle

loop = Loop()
torch.manual_seed(1)
model = torch.nn.Sequential(
    torch.nn.Linear(4, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU(), torch.nn.Linear(16, 1)
)
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
checkpoint = rekindle.Checkpoint(
    model=model,
    optimizer=optimizer,
    schedule=schedule,
    noise=torch.Generator().manual_seed(2),
    rng=np.random.default_rng(5),
    losses=[],
    step=0,
)


def train():
    x, y = map(torch.from_numpy, batch(checkpoint.rng))
    x = x + 0.1 * torch.randn(x.shape, generator=checkpoint.noise)
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    schedule.step()
    checkpoint.losses.append(loss.item())
    checkpoint.step += 1


loop.run(checkpoint, train)
slots = [dict(slot) for slot in optimizer.state_dict()["state"].values()]
loop.report(
    weights=dict(model.state_dict()),
    optimizer=slots,
    rate=schedule.get_last_lr(),
    losses=checkpoint.losses,
    draw=torch.rand((), generator=checkpoint.noise).item(),
)
