"""Numbers in the logs of a step or an epoch: its loss, and a digest of all of them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import xxhash

from rekindle._frameworks import table as frameworks

# Results of a step that are no numbers, also not later.
_NO_NUMBER = (str, bytes, Mapping, list, tuple, type(None))


def loss(logs: Any) -> Any:
    """The loss, or the reward, after a step; without both, a list; ``None`` if there is nothing.

    A `train_step()` of the user's own may name its results as it likes: a GAN has a loss of each
    network. The list has all losses, or, if no name says that it is a loss, all results.
    """
    if not isinstance(logs, dict | Mapping):
        return None
    for name in ("loss", "reward"):
        if name in logs:
            return logs[name]
    names = [name for name in sorted(logs, key=str) if not isinstance(logs[name], _NO_NUMBER)]
    losses = [name for name in names if "loss" in str(name)]
    return [logs[name] for name in losses or names] or None


def number(value: Any, *, wait: bool) -> float | None:
    """The number; ``None`` if it is none, or a device still computes it and this must not wait.

    Of a list, the sum.
    """
    if isinstance(value, list):
        numbers = [number(part, wait=wait) for part in value]
        known = [one for one in numbers if one is not None]
        return sum(known) if len(known) == len(numbers) else None
    if isinstance(value, float | int):
        return float(value)
    try:
        found: Any = value
        if not isinstance(value, np.generic):
            found = frameworks.to_numpy(value) if wait else frameworks.at_hand(value)
        return None if found is None else float(found)
    # A callback may put anything into the logs.
    except (TypeError, ValueError, RuntimeError):
        return None


def digest(logs: Any) -> int | None:
    if not isinstance(logs, Mapping):
        return None
    numbers = {str(name): number(value, wait=True) for name, value in logs.items()}
    bits = [
        name.encode("utf-8", "surrogatepass") + struct.pack("<d", value)
        for name, value in sorted(numbers.items())
        if value is not None
    ]
    return xxhash.xxh3_64_intdigest(b"".join(bits)) if bits else None
