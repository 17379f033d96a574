"""Packs: safetensors files, written in one pass and read back with every byte checked.

The safetensors library writes whole files from whole buffers and syncs nothing, so this module
gives the bytes to the storage itself. The files are plain safetensors, and the tests read them with
the library.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import struct
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import xxhash

from rekindle._base import memory, parallel
from rekindle._base.arrays import AnyArray, as_buffer, as_bytes, digest, dtype_name
from rekindle._format import layout
from rekindle._format.manifest import Array, Damage, Manifest, Pack
from rekindle._repository.runs import Block, Pace, in_blocks, in_runs
from rekindle._storage.protocol import NotRegularError, Storage, StoredFile

# Small arrays are written and read together, in batches of this size. Otherwise ten thousand arrays
# would need ten thousand system calls. A caller that keeps one array of a batch keeps at most this
# many bytes in memory.
_BATCH = 1 << 20

# The size of one read, small enough that the processor's cache still holds it when it is hashed.
_PIECE = 1 << 20


# The first bytes of a pack that show whether rekindle wrote it.
_HEAD = 64


def write(
    storage: Storage,
    name: str,
    arrays: Mapping[str, AnyArray],
    digests: Mapping[str, str],
    metadata: Mapping[str, str],
) -> tuple[Pack, dict[str, Array]]:
    """Writes a new pack of this name; returns the pack, and where each array lies.

    On failure, there is no such file.
    """
    # Arrays of whole blocks come first, so that each begins at a block. Then come larger elements
    # first. So every array is aligned to its element without the gaps that safetensors forbids.
    order = sorted(arrays, key=lambda key: _rank(key, arrays[key]))
    large = sum(array.nbytes for array in arrays.values()) >= layout.LARGE_PACK
    header, offsets = _header(
        arrays, order, metadata, layout.BLOCK if large else layout.PACK_ALIGNMENT
    )
    end = len(header)
    if end > layout.MAX_PACK_HEADER_BYTES:
        raise OSError(
            errno.EFBIG, "the names of its arrays are longer in total than readers accept"
        )
    size = end + (offsets[order[-1]][1] if order else 0)
    storage.write_pack(name, size, _batches(header, (as_bytes(arrays[key]) for key in order)))
    rows = {}
    for key in order:
        array = arrays[key]
        start, stop = end + offsets[key][0], end + offsets[key][1]
        rows[key] = Array(dtype_name(array.dtype), array.shape, name, start, stop, digests[key])
    return Pack(size, end, digest(header)), rows


def _rank(key: str, array: AnyArray) -> tuple[bool, int, str]:
    return array.nbytes % layout.BLOCK != 0, -array.dtype.itemsize, key


def _header(
    arrays: Mapping[str, AnyArray], order: list[str], metadata: Mapping[str, str], alignment: int
) -> tuple[bytes, dict[str, tuple[int, int]]]:
    offsets = {}
    entries: dict[str, object] = {layout.PACK_METADATA: dict(metadata)}
    position = 0
    for key in order:
        array = arrays[key]
        span = offsets[key] = (position, position + array.nbytes)
        position = span[1]
        entries[key] = {
            "dtype": layout.DTYPES[dtype_name(array.dtype)],
            "shape": array.shape,
            "data_offsets": span,
        }
    text = json.dumps(entries, separators=(",", ":")).encode("ascii")
    text += b" " * (-(8 + len(text)) % alignment)
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


def read(storage: Storage, manifest: Manifest) -> dict[str, AnyArray]:
    """Every array of the checkpoint, checked against its digest, in the manifest's order.

    This function reads the bytes into memory and does not map the files. With mapped files, a
    failing disk, or a file that is cut off later, would end the process and not raise an error; and
    checked bytes could change afterwards.

    Raises:
        Damage: A pack is missing, or its bytes are not those that were written.
        OSError: The system refused to read.
    """
    found: dict[str, AnyArray] = {}
    rows: dict[str, list[tuple[str, Array]]] = {name: [] for name in manifest.packs}
    for key, row in manifest.arrays.items():
        rows[row.pack].append((key, row))
    for name, pack in manifest.packs.items():
        blocks = in_blocks(rows[name], _BATCH)
        try:
            found |= _read_pack(storage, name, pack, blocks)
        except Damage:
            # A network may have damaged the bytes on their way, or a server may err for once.
            if not storage.is_remote:
                raise
            found |= _read_pack(storage, name, pack, blocks)
    return {key: found[key] for key in manifest.arrays}


def _read_pack(storage: Storage, name: str, pack: Pack, blocks: list[Block]) -> dict[str, AnyArray]:
    found: dict[str, AnyArray] = {}
    size = sum(block.stop - block.start for block in blocks)
    caller, pace = threading.get_ident(), Pace()

    def read_part(part: Iterator[list[Block]]) -> None:
        is_first = threading.get_ident() == caller
        # The first reads all in one go; the others begin elsewhere, in the checked pack.
        ahead = pack.size if is_first and 2 * size > pack.size else 0
        # Threads must not share an open file.
        with _opened(storage, name, pack, ahead=ahead, checked=is_first) as file:
            if is_first:
                pace.begin()
            for run in part:
                file.expect(run[0].start, run[-1].stop)
                for block in run:
                    found.update(_read_block(block, file))
                pace.size += run[-1].stop - run[0].start

    if storage.is_remote:
        runs, more = in_runs(blocks), pace.is_slow
    else:
        # The largest first, so that the threads finish together.
        order = sorted(blocks, key=lambda block: block.start - block.stop)
        runs, more = [[block] for block in order], None
    parallel.share_out(read_part, runs, min(storage.readers(size), max(1, len(runs))), more)
    return found


@contextlib.contextmanager
def _opened(
    storage: Storage, name: str, pack: Pack, *, ahead: int = 0, checked: bool = True
) -> Iterator[StoredFile]:
    """Opens a pack, and checks that its size and its header are those that were written."""
    try:
        with storage.open(name) as file:
            if file.size != pack.size:
                raise Damage(f"the pack {name!r} has {file.size} bytes, not {pack.size}")
            file.expect(0, ahead)
            if checked and _header_digest(file, pack.header) != pack.digest:
                raise Damage(f"the header of the pack {name!r} does not match its digest")
            yield file
    # In an object store, a pack may go while it is read.
    except FileNotFoundError:
        raise Damage(f"the pack {name!r} is missing") from None
    except NotRegularError:
        raise Damage(f"the pack {name!r} is not a regular file") from None


def _header_digest(file: StoredFile, size: int) -> str:
    whole = xxhash.xxh3_128()
    piece = memoryview(bytearray(min(size, _PIECE)))
    for start in range(0, size, _PIECE):
        part = piece[: size - start]
        whole.update(part[: file.read_into(part, start)])
    return whole.hexdigest()


def look(storage: Storage, name: str, pack: Pack) -> None:
    """Checks only the size and the header of a pack.

    Raises:
        Damage: The pack is missing, or does not have the size and header that were written.
        OSError: The system refused to read.
    """
    with _opened(storage, name, pack):
        pass


def _read_block(block: Block, file: StoredFile) -> dict[str, AnyArray]:
    data = memory.room(block.stop - block.start)
    buffer = as_buffer(data)
    whole = xxhash.xxh3_128()
    for start in range(0, len(buffer), _PIECE):
        piece = buffer[start : start + _PIECE]
        if file.read_into(piece, block.start + start) != len(piece):
            raise Damage(f"the pack {block.rows[0][1].pack!r} ends too early")
        if len(block.rows) == 1:
            whole.update(piece)
    found = {}
    for key, row in block.rows:
        part = slice(row.start - block.start, row.stop - block.start)
        _check(key, row, whole.hexdigest() if len(block.rows) == 1 else digest(buffer[part]))
        found[key] = _array(data[part], row)
    return found


def _check(key: str, row: Array, found: str) -> None:
    if found != row.digest:
        raise Damage(f"array {key[:200]!r} in {row.pack!r} does not match its digest")


def _array(data: npt.NDArray[np.uint8], row: Array) -> AnyArray:
    array: AnyArray = data.view(_dtype(row.dtype)).reshape(row.shape)
    # In a pack that another program made, arrays may lie at any offset.
    return array if array.flags.aligned else array.copy()


@functools.lru_cache(maxsize=256)
def _dtype(name: str) -> np.dtype[np.generic]:
    """The dtype with this NumPy name; ml_dtypes has the dtypes that NumPy itself lacks."""
    special: Any = getattr(ml_dtypes, name, None)
    dtype = np.dtype(name if special is None else special)
    return dtype if np.little_endian else dtype.newbyteorder("<")


def is_ours(storage: Storage, name: str) -> bool:
    """Whether the metadata in the file's header shows that the file is a pack of rekindle."""
    try:
        head = storage.read_part(name, 0, _HEAD)
    except OSError:
        return False
    return head[8:].startswith(b'{"__metadata__":{"%s":' % layout.PACK_METADATA_KEY.encode())
