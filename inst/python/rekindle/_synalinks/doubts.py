"""What Synalinks itself does not repeat: said when rekindle saves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MINIBATCH = (
    "Synalinks draws the {size} of {all} validation samples that score a candidate from a random"
    " generator without a seed, so no two runs are the same: set minibatch_size=None, or not less"
    " than {all}"
)


def of_fit(fit: Mapping[str, Any]) -> list[str]:
    """Sentences about this fit(), the same at each call."""
    size: Any = fit.get("minibatch_size")
    samples: Any = fit.get("val_x")
    count = len(samples) if hasattr(samples, "__len__") else 0
    is_drawn = bool(size) and count > int(size or 0)
    return [_MINIBATCH.format(size=size, all=count)] if is_drawn else []
