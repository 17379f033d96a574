"""The copy of the state that is written while training goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from rekindle._base import memory, parallel
from rekindle._base.arrays import AnyArray, copy_and_digest
from rekindle._format.snapshot import Snapshot

# Below, starting a thread takes longer than it saves.
_WORTH_A_THREAD = 32 << 20

# More than this gain nothing on one memory.
_MOST_THREADS = 4

# Below, a digest is made in no time by whoever writes the save.
_WORTH_A_DIGEST = 1 << 20


class HostBuffers:
    """Memory that the state is copied into, so that training can go on; used again and again."""

    def __init__(self) -> None:
        self._buffers: dict[str, AnyArray] = {}

    def hold(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with copies of its arrays. They stand until the next call.

        Raises:
            MemoryError: There is no memory for them.
        """
        arrays = snapshot.arrays
        held = {name: self._buffer(name, array) for name, array in arrays.items()}
        # What is no longer saved is let go.
        self._buffers = held
        digests = _copy({name: (held[name], array) for name, array in arrays.items()})
        return replace(snapshot, arrays=dict(held), digests=digests)

    def _buffer(self, name: str, array: AnyArray) -> AnyArray:
        buffer = self._buffers.get(name)
        if buffer is None or buffer.shape != array.shape or buffer.dtype != array.dtype:
            buffer = memory.array(array.shape, array.dtype)
        return buffer

    def release(self) -> None:
        """Gives the memory back."""
        self._buffers = {}


# A target, and the source that is copied into it; of a piece, the name that its digest is for.
_Pair = tuple[AnyArray, AnyArray]
_Piece = tuple[str, AnyArray, AnyArray]


def _copy(pairs: Mapping[str, _Pair]) -> dict[str, str]:
    """Copies the second of each pair into the first: the digests of those where it cost nothing.

    The training thread waits for it, so the cores that training has are free. Two use up what the
    memory can give, and have time left: while one makes a digest of what it has just copied, the
    other copies.
    """
    digests: dict[str, str] = {}
    size = sum(source.nbytes for _, source in pairs.values())
    count = min(parallel.processors(), _MOST_THREADS, size // _WORTH_A_THREAD)

    def copy(pieces: Iterator[_Piece]) -> None:
        for name, target, source in pieces:
            if name and count > 1:
                digests[name] = copy_and_digest(target, source)
            else:
                np.copyto(target, source)

    pieces = [piece for name, pair in pairs.items() for piece in _pieces(name, *pair)]
    parallel.share_out(copy, pieces, count)
    return digests


def _pieces(name: str, target: AnyArray, source: AnyArray) -> Iterator[_Piece]:
    """The pair, or where it is large, parts of it; with the name where a digest is to be made."""
    if source.nbytes <= _WORTH_A_THREAD or not source.flags.c_contiguous:
        yield name if source.nbytes >= _WORTH_A_DIGEST else "", target, source
        return
    target, source = target.reshape(-1), source.reshape(-1)
    step = _WORTH_A_THREAD // source.itemsize
    for start in range(0, source.size, step):
        yield "", target[start : start + step], source[start : start + step]
