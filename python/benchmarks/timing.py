"""Measures how long a call holds training up, when a save is durable, and what it writes."""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
import threading
import time

from rekindle._repository.commit import Commit

# The times at which rekindle acknowledged saves. Its callback does not report these times.
_acknowledged: list[float] = []


def note_acknowledgements() -> None:
    def acknowledge(commit):
        whole(commit)
        _acknowledged.append(time.perf_counter())

    whole, Commit.acknowledge = Commit.acknowledge, acknowledge


def acknowledged_since(began: float) -> float | None:
    """Seconds from `began` until rekindle acknowledged a save; None if it did not."""
    return next((moment - began for moment in _acknowledged if moment >= began), None)


def rotated(contestants: dict, index: int) -> list[tuple]:
    """The contestants in turn. Each round starts with another one."""
    start = index % max(1, len(contestants))
    return [*contestants.items()][start:] + [*contestants.items()][:start]


def join_writer() -> None:
    """Returns when rekindle has no more to write."""
    for thread in threading.enumerate():
        if thread.name == "rekindle-writer":
            thread.join()


def sync_tree(folder: str) -> None:
    """Syncs every file and folder below `folder`, because the contestant did not."""
    for top, _, names in os.walk(folder):
        for name in [".", *names]:
            with contextlib.suppress(FileNotFoundError):
                fd = os.open(os.path.join(top, name), os.O_RDONLY)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)


def claim(size: int, folder: str) -> None:
    """Makes the machine provide memory for a copy and a file of `size` bytes, and releases it.

    A host may take away memory that a virtual machine did not use for some seconds. Getting that
    memory back takes longer than the measured work.
    """
    with mmap.mmap(-1, max(1, size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_HUGEPAGE)
        for place in range(0, len(memory), mmap.PAGESIZE):
            memory[place] = 1
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            written = 0
            while written < size:
                written += file.write(memoryview(memory)[written:])


def written_bytes() -> int:
    """Bytes that this process has passed to write() and similar calls so far."""
    with open("/proc/self/io", encoding="ascii") as file:
        fields = dict(line.split(": ") for line in file)
    return int(fields["wchar"])


@contextlib.contextmanager
def timed(rows: dict, name: str):
    began = time.perf_counter()
    yield
    rows.setdefault(name, []).append(time.perf_counter() - began)


def reset_peak() -> None:
    """Makes the kernel forget this process's highest memory use so far."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def memory(field: str) -> int:
    """VmHWM (highest since :func:`reset_peak`) or VmRSS (now), in bytes."""
    with open("/proc/self/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
