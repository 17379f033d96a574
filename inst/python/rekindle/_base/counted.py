"""What a witness has compared, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAMES = {"batches": "batch", "losses": "loss", "epochs": "epoch"}


def counted(compared: Mapping[str, Any]) -> str:
    """The counts of a comparison, such as ``12 batches, 12 losses and 1 epoch``; ``nothing``."""
    counts = [(compared.get(many), many, one) for many, one in _NAMES.items()]
    parts = [
        f"{count} {one if count == 1 else many}"
        for count, many, one in counts
        if isinstance(count, int) and count > 0
    ]
    if len(parts) > 1:
        parts[-2:] = [f"{parts[-2]} and {parts[-1]}"]
    return ", ".join(parts) or "nothing"
