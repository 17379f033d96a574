"""Packs: safetensors files, written in one pass and read back with every byte checked.

The safetensors library writes whole files from whole buffers and syncs nothing, so the writing is
done here; what is written is plain safetensors, and the tests read it with that library.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import xxhash

from rekindle._store import format as fmt
from rekindle._store import fs
from rekindle._store.manifest import Array, Damage, Manifest, Pack

AnyArray = npt.NDArray[np.generic]

# Small arrays are written together: ten thousand of them would else be ten thousand system calls.
_BATCH = 1 << 20

# Enough of a pack to see whose it is.
_HEAD = 64


def as_bytes(array: AnyArray) -> memoryview:
    """The array's bytes as format 1 stores them, little-endian in C order; copied if need be."""
    # Not `ascontiguousarray`, which gives a scalar an axis.
    array = np.asarray(array, order="C")
    if array.dtype.byteorder == ">" or (array.dtype.byteorder == "=" and not np.little_endian):
        array = array.astype(array.dtype.newbyteorder("<"))
    # Viewed as bytes because bfloat16 and its like have no buffer of their own.
    return _buffer(array.reshape(-1).view(np.uint8))


def _buffer(array: npt.NDArray[np.uint8]) -> memoryview:
    data: Any = array  # NumPy's stubs do not say that an array is a buffer.
    return memoryview(data)


def digest(data: memoryview | bytearray | bytes) -> str:
    return xxhash.xxh3_128_hexdigest(data)


def write(
    path: str,
    name: str,
    arrays: Mapping[str, AnyArray],
    digests: Mapping[str, str],
    metadata: Mapping[str, str],
) -> tuple[Pack, dict[str, Array]]:
    """Writes a new pack at `path`, synced, which is to be `name`: it, and where each array lies.

    On failure the file is gone again.
    """
    # Larger elements first: every array is aligned to its element without the gaps that safetensors
    # forbids.
    order = sorted(arrays, key=lambda key: (-arrays[key].dtype.itemsize, key))
    header, offsets = _header(arrays, order, metadata)
    fd = fs.create(path)
    try:
        with fs.closing(fd):
            for chunk in _batches(header, (as_bytes(arrays[key]) for key in order)):
                fs.write_all(fd, chunk)
            fs.sync(fd)
    except BaseException:
        fs.discard(path)
        raise
    end = len(header)
    rows = {}
    for key in order:
        array = arrays[key]
        start, stop = end + offsets[key][0], end + offsets[key][1]
        rows[key] = Array(array.dtype.name, array.shape, name, start, stop, digests[key])
    size = end + (offsets[order[-1]][1] if order else 0)
    return Pack(size, end, digest(header)), rows


def _header(
    arrays: Mapping[str, AnyArray], order: list[str], metadata: Mapping[str, str]
) -> tuple[bytes, dict[str, tuple[int, int]]]:
    offsets = {}
    entries: dict[str, object] = {fmt.PACK_METADATA: dict(metadata)}
    position = 0
    for key in order:
        array = arrays[key]
        span = offsets[key] = (position, position + array.nbytes)
        position = span[1]
        entries[key] = {
            "dtype": fmt.DTYPES[array.dtype.name],
            "shape": array.shape,
            "data_offsets": span,
        }
    text = json.dumps(entries, separators=(",", ":")).encode("ascii")
    text += b" " * (-(8 + len(text)) % fmt.PACK_ALIGNMENT)
    return struct.pack("<Q", len(text)) + text, offsets


def _batches(header: bytes, parts: Iterator[memoryview]) -> Iterator[memoryview]:
    small = bytearray(header)
    for part in parts:
        if len(part) < _BATCH:
            small += part
        if small and (len(part) >= _BATCH or len(small) >= _BATCH):
            yield memoryview(small)
            small = bytearray()
        if len(part) >= _BATCH:
            yield part
    if small:
        yield memoryview(small)


def read(folder: str, manifest: Manifest) -> dict[str, AnyArray]:
    """Every array of the save, each checked against its digest, in the manifest's order.

    Raises:
        Damage: A pack is missing, or is not what was written.
        OSError: The system refused to read.
    """
    found: dict[str, AnyArray] = {}
    for name, pack in manifest.packs.items():
        rows = {key: row for key, row in manifest.arrays.items() if row.pack == name}
        with _opened(folder, name, pack) as fd:
            for key, row in rows.items():
                found[key] = _read_array(fd, key, row)
    return {key: found[key] for key in manifest.arrays}


@contextlib.contextmanager
def _opened(folder: str, name: str, pack: Pack) -> Iterator[int]:
    """The pack's descriptor, once its size and its header are seen to be those written."""
    try:
        fd, size = fs.open_regular(os.path.join(folder, name))
    except FileNotFoundError:
        raise Damage(f"the pack {name!r} is missing") from None
    except fs.NotRegularError:
        raise Damage(f"the pack {name!r} is not a regular file") from None
    with fs.closing(fd):
        if size != pack.size:
            raise Damage(f"the pack {name!r} has {size} bytes, not {pack.size}")
        header = bytearray(pack.header)
        fs.read_into(fd, memoryview(header), 0)
        if digest(header) != pack.digest:
            raise Damage(f"the header of the pack {name!r} does not match its digest")
        yield fd


def _read_array(fd: int, key: str, row: Array) -> AnyArray:
    data = np.empty(row.stop - row.start, np.uint8)
    buffer = _buffer(data)
    if fs.read_into(fd, buffer, row.start) != len(buffer) or digest(buffer) != row.digest:
        raise Damage(f"array {key[:200]!r} in {row.pack!r} does not match its digest")
    return data.view(_dtype(row.dtype)).reshape(row.shape)


def _dtype(name: str) -> np.dtype[np.generic]:
    """The dtype with this NumPy name; ml_dtypes has those that NumPy itself has not."""
    special: Any = getattr(ml_dtypes, name, None)
    dtype = np.dtype(name if special is None else special)
    return dtype if np.little_endian else dtype.newbyteorder("<")


def is_ours(path: str) -> bool:
    """Whether the file is a pack of rekindle's, as the metadata in its header says."""
    try:
        fd, size = fs.open_regular(path)
    except OSError:
        return False
    with fs.closing(fd):
        head = bytearray(min(size, _HEAD))
        fs.read_into(fd, memoryview(head), 0)
    return bytes(head[8:]).startswith(b'{"__metadata__":{"%s":' % fmt.PACK_METADATA_KEY.encode())
