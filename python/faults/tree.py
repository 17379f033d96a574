"""Folders as values: captured, compared, restored; and a scratch place for them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Path relative to the top -> the file's bytes, or None for a folder.
Tree = dict[str, bytes | None]


def take(top: str) -> Tree:
    found: Tree = {}
    for folder, folders, files in os.walk(top):
        for name in folders:
            found[os.path.relpath(os.path.join(folder, name), top)] = None
        for name in files:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, top)] = Path(path).read_bytes()
    return found


def put(tree: Tree, top: str) -> None:
    """Makes `top` contain exactly this tree."""
    empty(top)
    for path in sorted(tree):
        full, data = os.path.join(top, path), tree[path]
        if data is None:
            os.makedirs(full, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            Path(full).write_bytes(data)


def empty(top: str) -> None:
    shutil.rmtree(top, ignore_errors=True)
    os.makedirs(top)


def digest(tree: Tree) -> bytes:
    state = hashlib.blake2b(digest_size=16)
    for path in sorted(tree):
        data = tree[path]
        state.update(path.encode() + (b"/" if data is None else b"\0%d\0" % len(data) + data))
    return state.digest()


@contextlib.contextmanager
def scratch() -> Iterator[str]:
    """A scratch folder, in memory if possible: the sweeps sync tens of thousands of times."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    path = tempfile.mkdtemp(prefix="rekindle-faults-", dir=place)
    try:
        yield os.path.realpath(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)
