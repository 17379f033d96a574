"""What to keep: pure decisions on the saves there are."""

from __future__ import annotations

from collections.abc import Sequence


def newest(numbers: Sequence[int], max_to_keep: int) -> list[int]:
    """The last `max_to_keep` of the saves, which are in the order of saving."""
    return list(numbers[-max_to_keep:])
