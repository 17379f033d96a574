"""Damages a file, or forges a manifest with the digest that fits."""

from __future__ import annotations

import json
import os

import xxhash


def forge(path, **changes) -> None:
    """Changes a manifest and gives it the matching digest."""
    document = json.loads(path.read_bytes())
    document.pop("xxh3_128")
    for name, value in changes.items():
        document[name] = value
    seal(path, json.dumps(document).encode()[:-1] + b",")


def seal(path, body: bytes) -> None:
    digest = xxhash.xxh3_128_hexdigest(body).encode()
    path.write_bytes(body + b'"xxh3_128":"%s"}\n' % digest)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def replace(make):
    def do(path):
        path.unlink()
        make(path)

    return do
