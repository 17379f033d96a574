"""Folders forged so that reading them would fill the memory or never end.

Each has valid digests. A reader must refuse it, or read it in time and memory that are a small
multiple of its size. `python/tests/repository/test_store_bounds.py` measures that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xxhash

_HEAD: dict[str, Any] = {
    "rekindle_format": 1,
    "version": "1.2.3",
    "run": "0" * 32,
    "number": 1,
    "serial": 1,
    "time": 1.7e9,
    "step": 1,
    "epoch": 1,
    "batch": 0,
    "packs": {},
    "arrays": {},
    "state": {},
}

# Python's hash of a whole number is its remainder modulo this number.
_MODULUS = 2**61 - 1


def seal(body: bytes) -> bytes:
    """A manifest: this body, and the last line with its digest."""
    return body + b'"xxh3_128":"%s"}\n' % xxhash.xxh3_128_hexdigest(body).encode()


def manifest(folder: Path, number: int = 1, **members: Any) -> None:
    """Writes a manifest with these members into the folder. Bytes are literal JSON."""
    rows = {**_HEAD, "number": number, "serial": number, **members}
    texts = {
        name: value if isinstance(value, bytes) else json.dumps(value).encode()
        for name, value in rows.items()
    }
    body = b",\n".join(b'"%s":%s' % (name.encode(), text) for name, text in texts.items())
    (folder / f"ckpt-{number}.json").write_bytes(seal(b"{" + body + b",\n"))


def sparse(path: Path, size: int, tail: bytes = b"") -> None:
    with open(path, "wb") as file:
        file.truncate(size - len(tail))
        file.seek(0, os.SEEK_END)
        file.write(tail)


def digest_of_zeros(size: int) -> str:
    whole = xxhash.xxh3_128()
    piece = bytes(1 << 20)
    for start in range(0, size, len(piece)):
        whole.update(piece[: size - start])
    return whole.hexdigest()


def _state(what: bytes) -> bytes:
    """The state of a checkpoint with this in its metadata."""
    return b'{"metadata":{"x":%s},"manager":{}}' % what


def lists(folder: Path, size: int) -> None:
    manifest(folder, state=_state(b"[" + b"[]," * (size // 3) + b"[]]"))


def numbers(folder: Path, size: int) -> None:
    manifest(folder, state=_state(b"[" + b"1e9," * (size // 4) + b"0]"))


def members(folder: Path, size: int) -> None:
    rows = b",".join(b'"%x":0' % index for index in range(size // 10))
    manifest(folder, state=_state(b"{" + rows + b"}"))


def rows(folder: Path, size: int) -> None:
    manifest(folder, arrays=b'{"x":[' + b"{}," * (size // 3) + b"{}]}")


def deep(folder: Path, size: int) -> None:
    manifest(folder, state=_state(b"[" * (size // 2) + b"]" * (size // 2)))


def digits(folder: Path, size: int) -> None:
    manifest(folder, state=_state(b"[" + b"9" * size + b"]"))


def fraction(folder: Path, size: int) -> None:
    manifest(folder, state=_state(b"[0." + b"9" * size + b"]"))


def infinite(folder: Path, size: int) -> None:
    del size
    manifest(folder, state=_state(b"[1e999]"))


def _alike(size: int) -> bytes:
    return b",".join(b"%d" % (_MODULUS * index) for index in range(1, size // 25))


def alike_set(folder: Path, size: int) -> None:
    manifest(folder, state=_state(b'{"$":["set",[%s]]}' % _alike(size)))


def alike_dict(folder: Path, size: int) -> None:
    pairs = b",".join(b"[%s,0]" % number for number in _alike(size).split(b","))
    manifest(folder, state=_state(b'{"$":["dict",[%s]]}' % pairs))


def alike_tuples(folder: Path, size: int) -> None:
    items = (b'{"$":["tuple",[%s]]}' % number for number in _alike(size).split(b","))
    manifest(folder, state=_state(b'{"$":["frozenset",[%s]]}' % b",".join(items)))


def sparse_manifest(folder: Path, size: int) -> None:
    del size
    sparse(folder / "ckpt-1.json", 1 << 30)


def sparse_manifest_with_a_digest(folder: Path, size: int) -> None:
    del size
    end = b'"xxh3_128":"%s"}\n' % digest_of_zeros(1 << 26).encode()
    sparse(folder / "ckpt-1.json", (1 << 26) + len(end), end)


def sparse_list(folder: Path, size: int) -> None:
    del size
    sparse(folder / "checkpoint", 1 << 30)
    (folder / "ckpt-1.json").write_bytes(b"{}")


def sparse_settled(folder: Path, size: int) -> None:
    del size
    sparse(folder / "takeover.json", 1 << 30)


def sparse_header(folder: Path, size: int) -> None:
    """Many checkpoints of one pack with a header of the largest allowed size."""
    count, header = max(1, size // 10_000), 50_000_000
    sparse(folder / "ckpt-1.safetensors", header)
    entry = {"size": header, "header": header, "xxh3_128": digest_of_zeros(header)}
    for number in range(1, count + 1):
        manifest(folder, number, packs={"ckpt-1.safetensors": entry})


def overlapping(folder: Path, size: int) -> None:
    """A pack of 1 MB, and arrays of 1 MB each that all lie at the same place in it."""
    sparse(folder / "ckpt-1.safetensors", 1 << 20)
    entry = {"size": 1 << 20, "header": 0, "xxh3_128": digest_of_zeros(0)}
    row = {
        "dtype": "uint8",
        "shape": [1 << 20],
        "pack": "ckpt-1.safetensors",
        "bytes": [0, 1 << 20],
        "xxh3_128": digest_of_zeros(1 << 20),
    }
    arrays = {f"a{index}": row for index in range(size // 200)}
    manifest(folder, packs={"ckpt-1.safetensors": entry}, arrays=arrays)


def enormous(folder: Path, size: int) -> None:
    """Arrays with shapes that need more bytes than the pack has."""
    del size
    sparse(folder / "ckpt-1.safetensors", 64)
    entry = {"size": 64, "header": 0, "xxh3_128": digest_of_zeros(0)}
    row = {"dtype": "uint8", "pack": "ckpt-1.safetensors", "xxh3_128": digest_of_zeros(0)}
    arrays = {
        "large": {**row, "shape": [2**62], "bytes": [0, 2**62]},
        "none": {**row, "shape": [0, 2**62], "bytes": [0, 0]},
    }
    manifest(folder, packs={"ckpt-1.safetensors": entry}, arrays=arrays)


def foreign_names(folder: Path, size: int) -> None:
    for index in range(size // 1000):
        (folder / f"name{index}-1.json").write_bytes(b"{}")


def damaged_numbers(folder: Path, size: int) -> None:
    for number in range(size // 1000):
        (folder / f"ckpt-{number}.json").write_bytes(b'{"rekindle_format":1,')


def quarantined(folder: Path, size: int) -> None:
    for number in range(size // 1000):
        (folder / f"ckpt-1.json.damaged-{number}").write_bytes(b"")


# Forgeries in which the text of one manifest has the given size.
OF_TEXT = (
    lists,
    numbers,
    members,
    rows,
    deep,
    digits,
    fraction,
    infinite,
    alike_set,
    alike_dict,
    alike_tuples,
)

# All forgeries by name. Each takes a folder and the approximate size of the forgery in bytes.
ALL: dict[str, Callable[[Path, int], None]] = {
    make.__name__.replace("_", " "): make
    for make in (
        *OF_TEXT,
        sparse_manifest,
        sparse_manifest_with_a_digest,
        sparse_list,
        sparse_settled,
        sparse_header,
        overlapping,
        enormous,
        foreign_names,
        damaged_numbers,
        quarantined,
    )
}
