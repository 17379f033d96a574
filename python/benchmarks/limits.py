"""The time that the machine itself needs to copy, write and read a number of bytes."""

from __future__ import annotations

import os
import time

import numpy as np

from benchmarks import timing

COPY = "one copy in memory"
WRITE = "plain write and fsync"
READ = "read from the page cache"
READ_NEW = "the same, into new memory"


class Limits:
    """One large buffer, and a copy of it that every measurement reuses.

    Args:
        size: Bytes.
        folder: The folder to write to.
    """

    def __init__(self, size: int, folder: str) -> None:
        self._data = np.random.default_rng(0).integers(0, 255, size, np.uint8)
        self._copy = self._data.copy()
        self._path = os.path.join(folder, "limits.bin")

    def measure(self, rows: dict) -> None:
        timing.claim(self._data.nbytes, os.path.dirname(self._path))
        rows.setdefault(COPY, []).append(_seconds(lambda: np.copyto(self._copy, self._data)))
        rows.setdefault(WRITE, []).append(_seconds(self._write))
        rows.setdefault(READ, []).append(_seconds(lambda: self._read(self._copy)))
        new = np.empty_like(self._data)
        rows.setdefault(READ_NEW, []).append(_seconds(lambda: self._read(new)))
        os.unlink(self._path)

    def _write(self) -> None:
        with open(self._path, "wb", buffering=0) as file:
            rest = memoryview(self._data)
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())

    def _read(self, target) -> None:
        with open(self._path, "rb", buffering=0) as file:
            rest = memoryview(target)
            while rest:
                rest = rest[file.readinto(rest) :]


def _seconds(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
