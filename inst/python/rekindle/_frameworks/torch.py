"""PyTorch's random states: of the processor, and of each graphics processor in use."""

from __future__ import annotations

from typing import Any

import numpy as np


def random_states() -> dict[str, Any]:
    """The state of each generator."""
    import torch

    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {"cpu": torch.get_rng_state().numpy(), "cuda": [state.numpy() for state in cuda]}


def set_random_states(states: dict[str, Any]) -> None:
    """Puts back what :func:`random_states` gave."""
    import torch

    torch.set_rng_state(torch.from_numpy(np.array(states["cpu"])))
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([torch.from_numpy(np.array(s)) for s in states["cuda"]])
