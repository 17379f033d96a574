"""A PyTorch DataLoader: its own random generators, and those of its samplers."""

from __future__ import annotations

from typing import Any

from rekindle._frameworks.loaded import loaded
from rekindle._keras.sources.data import Data


class TorchData(Data):
    """A PyTorch DataLoader."""

    python_iterator = "get_numpy_iterator"
    settles = True

    def roots(self) -> dict[str, Any]:
        return {"loader": getattr(self._adapter, "_dataloader", None)}

    def generators(self) -> list[Any]:
        torch = loaded("torch")
        loader = getattr(self._adapter, "_dataloader", None)
        if torch is None or loader is None:
            return []
        batch_sampler = getattr(loader, "batch_sampler", None)
        owners = [
            loader,
            getattr(loader, "sampler", None),
            batch_sampler,
            getattr(batch_sampler, "sampler", None),
        ]
        found = [getattr(owner, "generator", None) for owner in owners]
        unique = {id(g): g for g in found if isinstance(g, torch.Generator)}
        return list(unique.values())
