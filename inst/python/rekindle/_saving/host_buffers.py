"""The copy of the state that rekindle writes while training goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from rekindle._base import memory, parallel
from rekindle._base.arrays import AnyArray, copy_and_digest
from rekindle._format.snapshot import Snapshot

# In bytes. Below this size, it takes longer to start a thread than the thread saves.
_WORTH_A_THREAD = 32 << 20

# More threads gain nothing, because they share one memory.
_MOST_THREADS = 4

# In bytes. Below this size, the writer of the checkpoint makes a digest in almost no time.
_WORTH_A_DIGEST = 1 << 20


class HostBuffers:
    """Memory for a copy of the state, so that training can go on. Each save reuses the memory."""

    def __init__(self) -> None:
        self._buffers: dict[str, AnyArray] = {}

    def hold(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with copies of its arrays. The copies are valid until the next call.

        Raises:
            MemoryError: There is no memory for the copies.
        """
        arrays = snapshot.arrays
        held = {name: self._buffer(name, array) for name, array in arrays.items()}
        # Release the buffers of arrays that are no longer saved.
        self._buffers = held
        digests = _copy({name: (held[name], array) for name, array in arrays.items()})
        return replace(snapshot, arrays=dict(held), digests=digests)

    def _buffer(self, name: str, array: AnyArray) -> AnyArray:
        buffer = self._buffers.get(name)
        if buffer is None or buffer.shape != array.shape or buffer.dtype != array.dtype:
            buffer = memory.array(array.shape, array.dtype)
        return buffer

    def release(self) -> None:
        """Releases the memory."""
        self._buffers = {}


# The target and the source of a copy. A piece has first the array's name, if it gets a digest.
_Pair = tuple[AnyArray, AnyArray]
_Piece = tuple[str, AnyArray, AnyArray]


def _copy(pairs: Mapping[str, _Pair]) -> dict[str, str]:
    """Copies the second of each pair into the first. Returns the digests that cost no extra time.

    The training thread waits for this, so the cores of the training are free. Two cores use all
    that the memory can deliver, and have time left: while one makes a digest of the bytes that it
    has just copied, the other copies.
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
    """Yields the pair or, if it is large, its parts; with the name if a digest is to be made."""
    if source.nbytes <= _WORTH_A_THREAD or not source.flags.c_contiguous:
        yield name if source.nbytes >= _WORTH_A_DIGEST else "", target, source
        return
    target, source = target.reshape(-1), source.reshape(-1)
    step = _WORTH_A_THREAD // source.itemsize
    for start in range(0, source.size, step):
        yield "", target[start : start + step], source[start : start + step]
