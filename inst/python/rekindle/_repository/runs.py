"""The order in which the arrays of a pack are read: in blocks, from a network in runs of them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rekindle._format.manifest import Array

# The bytes that a thread reads from a network in one go; and the bytes a second that one connection
# may read without others beside it.
_RUN = 32 << 20
_QUICK = 150 << 20


@dataclass
class Block:
    """Bytes of a pack that are read together: one array, or small arrays side by side."""

    start: int
    stop: int
    rows: list[tuple[str, Array]]


def in_blocks(rows: list[tuple[str, Array]], batch: int) -> list[Block]:
    """The arrays of one pack in blocks, in the order in which they lie.

    Args:
        rows: The arrays.
        batch: Small arrays side by side make blocks of at most so many bytes.
    """
    found: list[Block] = []
    for key, row in sorted(rows, key=lambda entry: (entry[1].start, entry[1].stop)):
        last = found[-1] if found else None
        if last and last.stop == row.start and row.stop - last.start <= batch:
            last.stop = row.stop
            last.rows.append((key, row))
        else:
            found.append(Block(row.start, row.stop, [(key, row)]))
    return found


def in_runs(blocks: list[Block]) -> list[list[Block]]:
    """The blocks in runs that lie side by side: a thread reads each in one go."""
    found: list[list[Block]] = []
    for block in blocks:
        if not found or block.start - found[-1][0].start >= _RUN:
            found.append([])
        found[-1].append(block)
    return found


class Pace:
    """How fast the first thread reads; `size` is how many bytes it has read."""

    def __init__(self) -> None:
        self._began = 0.0
        self.size = 0

    def begin(self) -> None:
        """The first bytes are there."""
        self._began = time.monotonic()

    def is_slow(self) -> bool:
        """Whether others beside it help, as where a network lies between."""
        return self.size < _QUICK * (time.monotonic() - self._began)
